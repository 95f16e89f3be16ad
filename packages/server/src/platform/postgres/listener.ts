import pg from "pg";
import type { Observe } from "../observe/observation.ts";
import { KeptConnection } from "./kept-connection.ts";

/**
 * Told the payload of a notification, or `null` when notifications may have been missed: read again what they would have told of.
 * Must not throw.
 */
export type OnNews = (payload: string | null) => void;

/** Stops listening. Who stops last waits for the connection's end. */
export type StopListening = () => Promise<void>;

/** All that this process hears from PostgreSQL, over one connection: each costs the machine 2 to 3 MB. */
export interface Listener {
  /**
   * Listens to channels from now on, and for ever, over however many connections. Resolves when everything that commits from then
   * on is told; while PostgreSQL is away, at once, and `null` is told later.
   */
  listen(channels: readonly string[], onNews: OnNews): Promise<StopListening>;
  /** The connection, for a short statement now and then; `null` while there is none. */
  readonly connection: Pick<KeptConnection, "query" | "isBusy"> | null;
  close(): Promise<void>;
}

export interface ListenerNeeds {
  readonly connect: () => Promise<pg.Client>;
  readonly observe: Observe;
  /** Whether the connection still lives is asked after so long a silence, in ms. */
  readonly heartbeatMs: number;
  /** Longest that PostgreSQL works on one statement, in ms; `null` where settings of a connection reach others (a pooler). */
  readonly statementTimeoutMs: number | null;
}

interface Subscription {
  readonly channels: ReadonlySet<string>;
  readonly onNews: OnNews;
}

interface Line {
  readonly connection: KeptConnection;
  /** What PostgreSQL tells this connection of. */
  readonly heard: Set<string>;
  /** Settles when the changes asked for are made: one at a time, or a late answer would undo what came after its question. */
  changed: Promise<void>;
}

/** Connects when somebody listens, and has a connection for as long as anybody does. */
export function createListener(needs: ListenerNeeds): Listener {
  const subscriptions = new Set<Subscription>();
  let line: Line | null = null;

  return {
    async listen(channels, onNews) {
      const subscription: Subscription = { channels: new Set(channels), onNews };
      subscriptions.add(subscription);
      line ??= open();
      const mine = line;
      await mine.connection.opened;
      await agree(mine);
      return () => leave(subscription);
    },
    get connection() {
      return line?.connection.isConnected ? line.connection : null;
    },
    async close() {
      subscriptions.clear();
      await hangUp();
    },
  };

  function open(): Line {
    const heard = new Set<string>();
    const connection = new KeptConnection({
      ...needs,
      lane: "listener",
      async prepare(client, ask) {
        heard.clear();
        client.on("notification", ({ channel, payload = "" }) => tell(channel, payload));
        if (needs.statementTimeoutMs !== null) await ask(`set statement_timeout = ${needs.statementTimeoutMs}`);
        await hearWanted(heard, ask);
      },
      onReconnected() {
        void agree(opened).then(() => {
          for (const { onNews } of [...subscriptions]) onNews(null);
        });
      },
    });
    const opened: Line = { connection, heard, changed: Promise.resolve() };
    return opened;
  }

  /** Makes what is heard what is wanted. A connection that cannot do it is of no use: the next one will. */
  function agree(line: Line): Promise<void> {
    const { connection, heard } = line;
    line.changed = line.changed.then(async () => {
      if (!connection.isConnected) return;
      await hearWanted(heard, (statement) => connection.query(statement)).catch(() => connection.drop());
    });
    return line.changed;
  }

  async function hearWanted(heard: Set<string>, ask: (statement: string) => Promise<unknown>): Promise<void> {
    const wanted = new Set([...subscriptions].flatMap(({ channels }) => [...channels]));
    const missing = [...wanted].filter((channel) => !heard.has(channel));
    const unwanted = [...heard].filter((channel) => !wanted.has(channel));
    const statements = [
      ...missing.map((channel) => `listen ${pg.escapeIdentifier(channel)}`),
      ...unwanted.map((channel) => `unlisten ${pg.escapeIdentifier(channel)}`),
    ];
    if (statements.length === 0) return;
    await ask(statements.join("; "));
    for (const channel of missing) heard.add(channel);
    for (const channel of unwanted) heard.delete(channel);
  }

  function tell(channel: string, payload: string): void {
    for (const { channels, onNews } of [...subscriptions]) if (channels.has(channel)) onNews(payload);
  }

  async function leave(subscription: Subscription): Promise<void> {
    if (!subscriptions.delete(subscription)) return;
    if (subscriptions.size === 0) return hangUp();
    // Not waited for: what is told until then is told to nobody.
    if (line !== null) void agree(line);
  }

  async function hangUp(): Promise<void> {
    const last = line;
    line = null;
    await last?.connection.close();
  }
}
