import type pg from "pg";
import type { Observe } from "../observe/observation.ts";
import { Backoff } from "./backoff.ts";
import type { Database } from "./database.ts";

export interface Listener {
  close(): Promise<void>;
}

export interface ListenNeeds {
  readonly database: Pick<Database, "connect">;
  readonly observe: Observe;
  /** Names this connection where its loss is told. */
  readonly lane: string;
  /** Written into the statement as they are: never from outside. */
  readonly channels: readonly string[];
  readonly heartbeatMs: number;
  /** Told the payload of a notification, or `null` after a new connection: what was said in between is lost. */
  readonly onNews: (payload: string | null) => void;
}

/**
 * Listens over a connection of its own, and connects again for as long as it is not closed. The promise resolves when the
 * first attempt has succeeded or failed.
 */
export async function listenForNews(needs: ListenNeeds): Promise<Listener> {
  const backoff = new Backoff(100, 10_000);
  let isClosed = false;
  let client: pg.Client | null = null;
  let loop: Promise<void> = Promise.resolve();

  const first = await connect();
  loop = keepConnected(first);
  return {
    async close() {
      isClosed = true;
      backoff.cancel();
      if (client !== null) await goodbye(client);
      await loop;
    },
  };

  /** Connects and listens; resolves to a promise that resolves when the connection is lost, or to `null` on failure. */
  async function connect(): Promise<{ readonly lost: Promise<unknown> } | null> {
    let attempt: pg.Client | null = null;
    try {
      attempt = await needs.database.connect();
      const lost = loss(attempt);
      for (const channel of needs.channels) await attempt.query(`listen ${channel}`);
      if (isClosed) {
        await attempt.end();
        return null;
      }
      client = attempt;
      attempt.on("notification", ({ payload }) => needs.onNews(payload ?? ""));
      return { lost };
    } catch (error) {
      await attempt?.end().catch(() => {});
      if (backoff.attempts === 0 && !isClosed)
        needs.observe({ kind: "postgres.connection-lost", lane: needs.lane, error });
      return null;
    }
  }

  async function keepConnected(connected: { readonly lost: Promise<unknown> } | null): Promise<void> {
    let connection = connected;
    while (!isClosed) {
      if (connection !== null) {
        const heartbeat = beat(client!, needs.heartbeatMs);
        const error = await connection.lost;
        heartbeat.stop();
        client = null;
        if (isClosed) return;
        needs.observe({ kind: "postgres.connection-lost", lane: needs.lane, error });
      }
      if (!(await backoff.wait())) return;
      connection = await connect();
      if (connection === null) continue;
      needs.observe({ kind: "postgres.reconnected", lane: needs.lane, attempts: backoff.attempts });
      backoff.reset();
      needs.onNews(null);
    }
  }
}

/** Resolves with the reason when the client's connection ends. */
function loss(client: pg.Client): Promise<unknown> {
  return new Promise((resolve) => {
    client.on("error", resolve);
    client.on("end", () => resolve(new Error("The connection ended.")));
  });
}

/**
 * Asks now and then whether the connection lives, because a listener that never speaks would not notice that a firewall
 * forgot it. An answer that does not come until the next beat is taken for death.
 */
function beat(client: pg.Client, intervalMs: number): { stop(): void } {
  let isWaiting = false;
  const timer = setInterval(() => {
    if (isWaiting) {
      cut(client);
      return;
    }
    isWaiting = true;
    client.query("select 1").then(
      () => {
        isWaiting = false;
      },
      () => {},
    );
  }, intervalMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

/** How long a closing connection may take to say goodbye, in ms. */
const goodbyeMs = 1_000;

/** Ends the connection, also when the other side is not there to answer. */
async function goodbye(client: pg.Client): Promise<void> {
  const timer = setTimeout(() => cut(client), goodbyeMs);
  await client.end().catch(() => {});
  clearTimeout(timer);
}

/** Drops the socket at once; `end()` would wait for an answer. `connection` is public in pg, though not in its types. */
function cut(client: pg.Client): void {
  const { connection } = client as unknown as {
    readonly connection: { readonly stream: { destroy(error: Error): void } };
  };
  connection.stream.destroy(new Error("The connection stopped answering."));
}
