import type { LogEntry, Lsn } from "../../../kernel/change.ts";
import type { Observe } from "../../observe/observation.ts";
import { Backoff } from "../../postgres/backoff.ts";
import type { Database } from "../../postgres/database.ts";
import type { DurableReader, GapReason } from "../types.ts";
import { type Cursor, cursorAt, isSameCursor, type Placed, restAfter } from "./cursor.ts";
import { cursorStore, type StoredCursor } from "./store.ts";

export interface WorkerNeeds {
  readonly reader: DurableReader;
  readonly database: Pick<Database, "transaction" | "query">;
  readonly observe: Observe;
  readonly settings: {
    readonly logBatchChanges: number;
    readonly logBatchBytes: number;
    readonly logReaderQueueBytes: number;
  };
  /** The cursor is not where it was left: another node reads for this reader. */
  readonly onSuperseded: () => void;
}

type Item =
  | { readonly kind: "entry"; readonly entry: LogEntry; readonly next: Cursor; readonly sizeBytes: number }
  | { readonly kind: "gap"; readonly reason: GapReason; readonly next: Cursor; readonly sizeBytes: 0 }
  /** Nothing of what stood between was published. */
  | { readonly kind: "nothing"; readonly next: Cursor; readonly sizeBytes: 0 };

/** Waits between attempts at what a reader has not taken, in ms: the first, and the longest. */
const [retryFirstMs, retryMaxMs] = [100, 30_000];

/** A reader that has taken nothing for so long, with something to take, is stuck; in ms. */
const stuckMs = 30_000;

/**
 * Brings entries to one reader, each group in a transaction that moves the reader's cursor as well. The cursor is moved first, from
 * where it was left: of two nodes that both think they read for it, one waits and then finds that it was wrong, before any effect.
 */
export class Worker {
  readonly #needs: WorkerNeeds;
  readonly #backoff = new Backoff(retryFirstMs, retryMaxMs);
  /** `null` while this node does not read. */
  #stored: StoredCursor | null = null;
  #epoch = "";
  /** Behind everything that is in the queue. */
  #head: Cursor = cursorAt(0n);
  #queue: Item[] = [];
  #queuedBytes = 0;
  #running: Promise<void> | null = null;
  /** After a failure, so many of what failed together are yet to come, one by one: so one of them holds up none before it. */
  #careful = 0;
  /** Since the last time all was well. */
  #failures = 0;
  #progress: PromiseWithResolvers<void> | null = null;
  #progressedAtMs = 0;

  constructor(needs: WorkerNeeds) {
    this.#needs = needs;
  }

  get name(): string {
    return this.#needs.reader.name;
  }

  /** Everything before it is in the queue, or has been taken in. */
  get head(): Cursor {
    return this.#head;
  }

  /** Everything before it has been taken in for good; `null` while this node does not read. */
  get cursor(): Cursor | null {
    return this.#stored;
  }

  get hasRoom(): boolean {
    return this.#queuedBytes < this.#needs.settings.logReaderQueueBytes;
  }

  get isDone(): boolean {
    return this.#queue.length === 0;
  }

  /** What it was given last it has not taken. */
  get isFailing(): boolean {
    return this.#backoff.attempts > 0;
  }

  /** It takes nothing of what there is for it. */
  get isStuck(): boolean {
    return !this.isDone && (this.isFailing || performance.now() - this.#progressedAtMs > stuckMs);
  }

  /** This node reads from now on, from where the cursor is. */
  begin(stored: StoredCursor, epoch: string): void {
    this.#stored = stored;
    this.#epoch = epoch;
    this.#clear();
    this.#head = stored;
  }

  /** This node does not read any more. Resolves when nothing of it is under way. */
  async end(): Promise<void> {
    this.#stored = null;
    this.#clear();
    this.#backoff.cancel();
    await this.#running;
  }

  offer(placed: Placed): void {
    if (this.#stored === null) return;
    const rest = restAfter(this.#head, placed);
    if (rest !== null) this.#push({ kind: "entry", entry: rest.entry, next: rest.next, sizeBytes: rest.sizeBytes });
  }

  /** What stands between what it was given and `to` is not to be had any more. */
  fall(reason: GapReason, to: Lsn): void {
    if (this.#stored === null || to <= this.#head.lsn) return;
    const last = this.#queue.at(-1);
    // The one it is being told of stays as it is.
    if (last?.kind === "gap" && this.#queue.length > 1) this.#queue.pop();
    else if (last?.kind !== "gap") this.#needs.observe({ kind: "log.gap", reader: this.name, reason });
    this.#push({ kind: "gap", reason, next: cursorAt(to), sizeBytes: 0 });
  }

  /** As `fall`, for one whose cursor means nothing here. */
  restart(reason: GapReason, at: Lsn): void {
    this.#head = cursorAt(0n);
    this.fall(reason, at);
  }

  /** There is nothing for it before `to`. */
  skip(to: Lsn): void {
    if (this.#stored === null || to <= this.#head.lsn || !this.isDone) return;
    this.#push({ kind: "nothing", next: cursorAt(to), sizeBytes: 0 });
  }

  /** Resolves when something was taken, or after a time. */
  async progress(withinMs: number): Promise<void> {
    this.#progress ??= Promise.withResolvers();
    const { promise } = this.#progress;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, withinMs).unref();
      void promise.then(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #progressed(): void {
    this.#progressedAtMs = performance.now();
    this.#progress?.resolve();
    this.#progress = null;
  }

  #clear(): void {
    this.#careful = 0;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#progressed();
  }

  #push(item: Item): void {
    if (this.isDone) this.#progressedAtMs = performance.now();
    this.#queue.push(item);
    this.#queuedBytes += item.sizeBytes;
    this.#head = item.next;
    this.#kick();
  }

  #kick(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
      if (this.#queue.length > 0) this.#kick();
    });
  }

  async #run(): Promise<void> {
    // What is offered in one go is taken in together.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const group = this.#group();
      try {
        await this.#take(group);
      } catch (error) {
        if (this.#stored === null) return;
        if (error instanceof Superseded) {
          this.#needs.onSuperseded();
          this.#stored = null;
          return this.#clear();
        }
        await this.#failed(group.length, error);
        continue;
      }
      this.#backoff.reset();
      this.#careful = Math.max(0, this.#careful - group.length);
      if (this.#failures > 0 && this.#careful === 0) this.#recovered();
      if (this.#stored === null) return;
      for (const { sizeBytes } of this.#queue.splice(0, group.length)) this.#queuedBytes -= sizeBytes;
      this.#progressed();
    }
  }

  async #failed(together: number, error: unknown): Promise<void> {
    if (this.#failures++ === 0) this.#needs.observe({ kind: "log.reader-failed", reader: this.name, error });
    this.#careful = Math.max(this.#careful, together);
    await this.#backoff.wait();
  }

  #recovered(): void {
    this.#needs.observe({ kind: "log.reader-recovered", reader: this.name, attempts: this.#failures });
    this.#failures = 0;
  }

  /** What is next, as much as is to be taken together. */
  #group(): readonly Item[] {
    const { logBatchChanges, logBatchBytes } = this.#needs.settings;
    const [first] = this.#queue;
    if (first!.kind !== "entry" || this.#careful > 0) return [first!];
    let [changes, sizeBytes, count] = [0, 0, 0];
    for (const item of this.#queue) {
      if (item.kind !== "entry") break;
      changes += item.entry.kind === "batch" ? item.entry.changes.length : 1;
      sizeBytes += item.sizeBytes;
      if (count > 0 && (changes > logBatchChanges || sizeBytes > logBatchBytes)) break;
      count++;
    }
    return this.#queue.slice(0, count);
  }

  async #take(group: readonly Item[]): Promise<void> {
    const { database, reader } = this.#needs;
    const from = this.#stored!;
    const to = { ...group.at(-1)!.next, name: from.name, epoch: this.#epoch };
    const [first] = group;
    try {
      await database.transaction(async (tx) => {
        if (!(await cursorStore.move(tx, from, to))) throw new Superseded();
        if (first!.kind === "gap") await reader.onGap(first!.reason, tx);
        const entries = group.flatMap((item) => (item.kind === "entry" ? [item.entry] : []));
        if (entries.length > 0) await reader.onEntries(entries, tx);
      });
    } catch (error) {
      // A COMMIT whose answer was lost may have been heard.
      const now = await cursorStore.find(database, from.name).catch(() => null);
      if (now === null || !isSameCursor(now, to) || now.epoch !== to.epoch) {
        const isMoved = now !== null && !(isSameCursor(now, from) && now.epoch === from.epoch);
        throw isMoved ? new Superseded() : error;
      }
    }
    if (this.#stored !== null) this.#stored = to;
  }
}

/** The cursor was moved by somebody else. */
class Superseded extends Error {}
