import type { Lsn } from "../../../kernel/change.ts";
import type { ChannelRecord } from "./store.ts";

export interface RecorderNeeds {
  readonly write: (written: readonly ChannelRecord[], gone: readonly string[], position: Lsn | null) => Promise<void>;
  /** What all clients of this node have come to; `null` when there are none, or nothing is known. */
  readonly position: () => Lsn | null;
  readonly everyMs: number;
  readonly limit: number;
  readonly onFailed: (error: unknown) => void;
}

/** A position that has moved less is written more seldom: writing it moves the log itself. */
const stepBytes = 16_384n;
const seldomMs = 10_000;

/**
 * Tells the database in batches which channels there are and which were lost. What comes and goes between two batches is never written.
 * While the database is away the last state of each channel waits, bounded.
 */
export class Recorder {
  readonly #needs: RecorderNeeds;
  /** `null`: gone. */
  #changed = new Map<string, ChannelRecord | null>();
  /** Channels that the database may know. */
  readonly #written = new Set<string>();
  #position: Lsn = 0n;
  #positionAtMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> | null = null;
  #hasFailed = false;

  constructor(needs: RecorderNeeds) {
    this.#needs = needs;
  }

  start(): void {
    this.#timer = setInterval(() => void this.flush(), this.#needs.everyMs).unref();
  }

  /** Writes what is left. */
  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    await this.flush();
    await this.flush();
  }

  keep(record: ChannelRecord): void {
    this.#changed.set(record.id, record);
    if (this.#changed.size > this.#needs.limit) this.#changed.delete(this.#changed.keys().next().value!);
  }

  forget(id: string): void {
    if (this.#written.has(id)) this.#changed.set(id, null);
    else this.#changed.delete(id);
  }

  /** As `forget`, of a channel that another process may have written. */
  forgetAnybodys(id: string): void {
    this.#changed.set(id, null);
  }

  /** One at a time; what comes meanwhile waits for the next. Never rejects. */
  flush(): Promise<void> {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = null;
    });
    return this.#writing;
  }

  async #write(): Promise<void> {
    const position = this.#duePosition();
    if (this.#changed.size === 0 && position === null) return;
    const changed = this.#changed;
    this.#changed = new Map();
    const records = [...changed.values()].filter((record) => record !== null);
    const gone = [...changed].flatMap(([id, record]) => (record === null ? [id] : []));
    for (const { id } of records) this.#written.add(id);
    try {
      await this.#needs.write(records, gone, position);
      for (const id of gone) this.#written.delete(id);
      for (const { id, cursor } of records) if (cursor !== null) this.#letGo(id);
      if (position !== null) {
        this.#position = position;
        this.#positionAtMs = performance.now();
      }
      this.#hasFailed = false;
    } catch (error) {
      // What came meanwhile is newer.
      this.#changed = new Map([...changed, ...this.#changed]);
      if (!this.#hasFailed) this.#needs.onFailed(error);
      this.#hasFailed = true;
    }
  }

  /** The sweep of the database forgets lost channels; we need not know of them, unless one comes back soon. */
  #letGo(id: string): void {
    if (this.#written.size > this.#needs.limit) this.#written.delete(id);
  }

  #duePosition(): Lsn | null {
    const position = this.#needs.position();
    if (position === null || position === this.#position) return null;
    const isFar = position - this.#position > stepBytes || position < this.#position;
    return isFar || performance.now() - this.#positionAtMs > seldomMs ? position : null;
  }
}
