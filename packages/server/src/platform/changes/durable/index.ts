import type { Lsn } from "../../../kernel/change.ts";
import type { Values } from "../../../kernel/settings.ts";
import type { Observe } from "../../observe/observation.ts";
import type { Database } from "../../postgres/database.ts";
import type { ConnectReplication } from "../../postgres/replication.ts";
import type { changesSettings } from "../settings.ts";
import type { OpenMessage } from "../transactions.ts";
import type { DurableReader, ReaderLag } from "../types.ts";
import { beginReading } from "./begin.ts";
import { Feed } from "./feed.ts";
import { LagWatch } from "./lag-watch.ts";
import { Leadership } from "./leadership.ts";
import { cursorStore } from "./store.ts";
import { Worker } from "./worker.ts";

export interface DurableReadersNeeds {
  readonly database: Database;
  readonly connect: ConnectReplication;
  readonly settings: Values<typeof changesSettings>;
  readonly observe: Observe;
  readonly openMessage: OpenMessage;
}

/** How often we say that readers are still read for, as parts of the time until they are forgotten. */
const touchesPerForget = 24;

/**
 * Readers with a memory in the database. One node at a time reads for all of them; each has a cursor of its own. Costs nothing until
 * the first is registered.
 */
export class DurableReaders {
  readonly #needs: DurableReadersNeeds;
  readonly #workers = new Map<string, Worker>();
  readonly #leadership: Leadership;
  readonly #lagWatch: LagWatch;
  readonly #closing = new AbortController();
  #feed: Feed | null = null;
  #running: Promise<void> | null = null;
  #current: Lsn = 0n;
  #touchedAtMs = performance.now();

  constructor(needs: DurableReadersNeeds) {
    this.#needs = needs;
    const { database, connect, settings, observe } = needs;
    this.#lagWatch = new LagWatch({ tooMuchBytes: settings.logRetainedBytes / 2, observe });
    this.#leadership = new Leadership({ database, connect, pollMs: settings.logLeaderPollMs, observe });
  }

  /** Begins to read for it when this node reads: at the reader's cursor, which is now for one that is new. */
  register(reader: DurableReader): void {
    if (this.#workers.has(reader.name)) throw new Error(`Two readers of the log are named "${reader.name}".`);
    const { database, observe, settings } = this.#needs;
    const worker = new Worker({
      reader,
      database,
      observe,
      settings,
      onSuperseded: () => this.#feed?.stop(),
    });
    this.#workers.set(reader.name, worker);
    // Whoever registers in one go begins together.
    this.#running ??= Promise.resolve().then(() => this.#run());
    // The readers there are were begun without it: all begin anew, where they were.
    this.#feed?.stop();
  }

  /** Whether this node reads. */
  get isReading(): boolean {
    return this.#feed !== null;
  }

  /** On the node that reads, those that are registered; elsewhere none. */
  get lags(): readonly ReaderLag[] {
    if (this.#feed === null) return [];
    return [...this.#workers.values()].flatMap(({ name, cursor, isFailing }) =>
      cursor === null
        ? []
        : [{ name, lagBytes: cursor.lsn > this.#current ? 0 : Number(this.#current - cursor.lsn), isFailing }],
    );
  }

  /** To be called every few seconds, with where the log ends. Rejects as the database does. */
  async look(current: Lsn): Promise<void> {
    this.#current = current;
    const feed = this.#feed;
    if (feed === null) return;
    const { settings, database } = this.#needs;
    feed.look(current);
    this.#lagWatch.look(this.lags);
    await feed.checkSources();
    if (performance.now() - this.#touchedAtMs < settings.logReaderForgetMs / touchesPerForget) return;
    this.#touchedAtMs = performance.now();
    await cursorStore.touch(database, [...this.#workers.keys()]);
  }

  /** Finishes what is being taken in. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#feed?.stop();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const won = await this.#leadership.wait(signal);
      if (won === null) return;
      const workers = [...this.#workers.values()];
      const { observe } = this.#needs;
      let first: typeof won | null = won;
      const feed = new Feed({
        ...this.#needs,
        workers,
        begin: async () => {
          const connection = first ?? (await this.#leadership.take());
          first = null;
          return connection === null ? null : beginReading({ ...this.#needs, connection, workers });
        },
      });
      this.#feed = feed;
      // Registered while the lock was on its way.
      if (workers.length < this.#workers.size) feed.stop();
      observe({ kind: "log.leading", readers: workers.map(({ name }) => name) });
      await feed.done;
      this.#feed = null;
      // Stopped before it was used.
      await first?.close();
    }
  }
}
