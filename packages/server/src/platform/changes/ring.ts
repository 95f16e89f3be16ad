import type { LogEntry, Lsn } from "../../kernel/change.ts";

export interface RingItem {
  readonly entry: LogEntry;
  readonly sizeBytes: number;
  /** Nothing of its transaction stands before it. */
  readonly isFirst: boolean;
  readonly keptSinceMs: number;
}

/** After everything: what is kept from here on is nothing. */
const nowhere: Lsn = 0xffff_ffff_ffff_ffffn;

/**
 * The latest entries, in memory, within a bound of bytes and of age: the buffer of all readers, and what serves those who come back.
 * Entries are numbered as they come; numbers are never used twice.
 */
export class Ring {
  readonly #maxBytes: number;
  readonly #maxAgeMs: number;
  readonly #nowMs: () => number;
  #items: RingItem[] = [];
  /** How many at the beginning of `#items` are gone: cut off when they are many. */
  #gone = 0;
  #startSeq = 0;
  #bytes = 0;
  #floor: Lsn = nowhere;

  constructor(options: { readonly maxBytes: number; readonly maxAgeMs: number; readonly nowMs: () => number }) {
    this.#maxBytes = options.maxBytes;
    this.#maxAgeMs = options.maxAgeMs;
    this.#nowMs = options.nowMs;
  }

  /** Number of the oldest entry. */
  get startSeq(): number {
    return this.#startSeq;
  }

  /** Number of the next entry. */
  get endSeq(): number {
    return this.#startSeq + this.#items.length - this.#gone;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** From here on nothing is missing. */
  get floor(): Lsn {
    return this.#floor;
  }

  /** Whether it is the log's at all: not before the first `reset`, and not after one to nowhere. */
  get isPlaced(): boolean {
    return this.#floor !== nowhere;
  }

  at(seq: number): RingItem {
    return this.#items[this.#gone + seq - this.#startSeq]!;
  }

  /** Number of the first entry at or after a place. */
  seqFrom(lsn: Lsn): number {
    let [low, high] = [this.#startSeq, this.endSeq];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.at(middle).entry.lsn < lsn) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Entries with smaller numbers have to go to make room for one of this size. */
  seqToFit(sizeBytes: number): number {
    let bytes = this.#bytes + sizeBytes;
    let seq = this.#startSeq;
    for (; bytes > this.#maxBytes && seq < this.endSeq; seq++) bytes -= this.at(seq).sizeBytes;
    return seq;
  }

  push(entry: LogEntry, sizeBytes: number, isFirst: boolean): void {
    const seq = this.seqToFit(sizeBytes);
    while (this.#startSeq < seq) this.#drop();
    this.#items.push({ entry, sizeBytes, isFirst, keptSinceMs: this.#nowMs() });
    this.#bytes += sizeBytes;
  }

  /** Lets go what is too old. */
  sweep(): void {
    const since = this.#nowMs() - this.#maxAgeMs;
    while (this.#startSeq < this.endSeq && this.at(this.#startSeq).keptSinceMs < since) this.#drop();
  }

  /** Lets go everything: the log goes on at `floor`, or is not followed any more. */
  reset(floor: Lsn = nowhere): void {
    while (this.#startSeq < this.endSeq) this.#drop();
    this.#floor = floor;
  }

  /** Entries from `from` on and before `to`; `null` when some of them are gone. */
  between(from: Lsn, to: Lsn): Iterable<LogEntry> | null {
    if (from < this.#floor) return null;
    const found: LogEntry[] = [];
    for (let seq = this.seqFrom(from); seq < this.endSeq; seq++) {
      const { entry } = this.at(seq);
      if (entry.lsn >= to) break;
      found.push(entry);
    }
    return found;
  }

  #drop(): void {
    const { entry, sizeBytes } = this.#items[this.#gone]!;
    // Of its transaction the rest may still be here: what is whole begins after it.
    if (entry.lsn >= this.#floor) this.#floor = entry.lsn + 1n;
    this.#bytes -= sizeBytes;
    this.#items[this.#gone] = undefined as never;
    this.#gone++;
    this.#startSeq++;
    if (this.#gone > 1_024 && this.#gone * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#gone);
      this.#gone = 0;
    }
  }
}
