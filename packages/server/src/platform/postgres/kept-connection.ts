import type pg from "pg";
import type { Observe } from "../observe/observation.ts";
import { Backoff } from "./backoff.ts";
import { cut } from "./cut.ts";

export interface KeptConnectionNeeds {
  readonly connect: () => Promise<pg.Client>;
  readonly observe: Observe;
  /** Names this connection where its loss is told. */
  readonly lane: string;
  /** Longest silence, and longest wait for an answer, in ms: beyond it the connection is taken for dead. */
  readonly heartbeatMs: number;
  /** Makes a new connection what it is for, before anybody else has it. When it rejects, another connection is tried. */
  readonly prepare: (client: pg.Client, ask: Ask) => Promise<void>;
  /** There is a connection again: whatever was said to the one before, or would have been, is lost. */
  readonly onReconnected: () => void;
}

export type Ask = (statement: string | pg.QueryConfig) => Promise<pg.QueryResult>;

/** Waits between attempts to connect, in ms: the first, and the longest. */
const [retryFirstMs, retryMaxMs] = [100, 10_000];
/** How long a closing connection may take to say goodbye, in ms. */
const goodbyeMs = 1_000;

/** One connection that is there for as long as it is not closed: made again whenever it is lost. */
export class KeptConnection {
  readonly #needs: KeptConnectionNeeds;
  readonly #backoff = new Backoff(retryFirstMs, retryMaxMs);
  readonly #closing = Promise.withResolvers<null>();
  readonly #loop: Promise<void>;
  /** Resolves when the first attempt has succeeded or failed. */
  readonly opened: Promise<void>;
  #client: pg.Client | null = null;
  /** Settles, never rejecting, when the statement asked for last is done with its connection. */
  #last: Promise<unknown> = Promise.resolve();
  /** Statements that have not been answered. */
  #asked = 0;
  /** Whether the other side has said anything since the last beat. */
  #isHeard = false;
  #isClosed = false;

  constructor(needs: KeptConnectionNeeds) {
    this.#needs = needs;
    const first = this.#connect();
    this.opened = first.then(() => {});
    this.#loop = this.#keep(first);
  }

  get isConnected(): boolean {
    return this.#client !== null;
  }

  /** Whether a statement is under way. */
  get isBusy(): boolean {
    return this.#asked > 0;
  }

  /** One statement, after those asked for before it. Rejects at once while there is no connection. */
  query(statement: string | pg.QueryConfig): Promise<pg.QueryResult> {
    const client = this.#client;
    if (client === null) return Promise.reject(new Error("There is no connection to PostgreSQL now."));
    // A client of pg takes one statement at a time: who hands it a second one is warned now and refused from pg 9 on.
    this.#asked += 1;
    const mine = this.#last
      .then(() => this.#ask(client, statement))
      .finally(() => {
        this.#asked -= 1;
      });
    this.#last = mine.catch(() => {});
    return mine;
  }

  /** Gives this connection up, as if it had been lost. */
  drop(): void {
    if (this.#client !== null) cut(this.#client);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#closing.resolve(null);
    this.#backoff.cancel();
    if (this.#client !== null) await goodbye(this.#client);
    await this.#loop;
  }

  async #keep(first: Promise<Connected | null>): Promise<void> {
    let connected = await Promise.race([first, this.#closing.promise]);
    while (!this.#isClosed) {
      if (connected !== null) {
        const error = await this.#stay(connected);
        if (this.#isClosed) return;
        this.#needs.observe({ kind: "postgres.connection-lost", lane: this.#needs.lane, error });
      }
      if (!(await this.#backoff.wait())) return;
      connected = await Promise.race([this.#connect(), this.#closing.promise]);
      if (connected === null) continue;
      this.#needs.observe({
        kind: "postgres.reconnected",
        lane: this.#needs.lane,
        attempts: this.#backoff.attempts,
      });
      this.#backoff.reset();
      this.#needs.onReconnected();
    }
  }

  /** Resolves with the reason when the connection is lost. */
  async #stay({ lost }: Connected): Promise<unknown> {
    const beat = setInterval(() => this.#beat(), this.#needs.heartbeatMs);
    beat.unref();
    try {
      return await lost;
    } finally {
      clearInterval(beat);
      this.#client = null;
    }
  }

  async #connect(): Promise<Connected | null> {
    let client: pg.Client | null = null;
    try {
      client = await this.#needs.connect();
      const connected = { lost: loss(client) };
      await this.#needs.prepare(client, (statement) => this.#ask(client!, statement));
      if (this.#isClosed) {
        await goodbye(client);
        return null;
      }
      this.#client = client;
      return connected;
    } catch (error) {
      if (client !== null) await goodbye(client);
      if (this.#backoff.attempts === 0 && !this.#isClosed) {
        this.#needs.observe({ kind: "postgres.connection-lost", lane: this.#needs.lane, error });
      }
      return null;
    }
  }

  /** A firewall that has forgotten a connection tells nobody: whoever only listens has to ask. */
  #beat(): void {
    if (!this.#isHeard) void this.query("select 1").catch(() => {});
    this.#isHeard = false;
  }

  async #ask(client: pg.Client, statement: string | pg.QueryConfig): Promise<pg.QueryResult> {
    let isAnswered = false;
    const deadline = setTimeout(() => {
      // After a moment in which this process did nothing, the answer may be here, unread.
      setImmediate(() => {
        if (!isAnswered) cut(client);
      });
    }, this.#needs.heartbeatMs);
    try {
      return await client.query(statement as pg.QueryConfig);
    } finally {
      isAnswered = true;
      this.#isHeard = true;
      clearTimeout(deadline);
    }
  }
}

/** Wrapped, since a promise of a promise is one promise. */
interface Connected {
  /** Resolves with the reason when the connection ends. */
  readonly lost: Promise<unknown>;
}

/** Listens for the end of a connection, which unheard would end the process (threat X09). */
function loss(client: pg.Client): Promise<unknown> {
  return new Promise((resolve) => {
    client.on("error", resolve);
    client.on("end", () => resolve(new Error("The connection ended.")));
  });
}

/** Ends the connection, also when the other side is not there to answer. */
async function goodbye(client: pg.Client): Promise<void> {
  const timer = setTimeout(() => cut(client), goodbyeMs);
  await client.end().catch(() => {});
  clearTimeout(timer);
}
