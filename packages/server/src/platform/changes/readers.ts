import type { Lsn } from "../../kernel/change.ts";
import type { Observe } from "../observe/observation.ts";
import { laterOf } from "./lsn.ts";
import type { Ring } from "./ring.ts";
import type { Following, GapReason, LiveReader } from "./types.ts";

export interface ReadersNeeds {
  readonly ring: Ring;
  /** Everything before it is in the ring, or is of no table that is published. */
  readonly position: () => Lsn;
  /** How long in all a reader may keep the ring from letting go what it has not read, until it has read everything once more. */
  readonly patienceMs: number;
  readonly nowMs: () => number;
  readonly observe: Observe;
  /** The last one has stopped. */
  readonly onEmpty: () => void;
}

/** After so many entries in one go, others get their turn. */
const entriesPerTurn = 500;

/** Everybody who follows, each at its own place in the ring. */
export class Readers {
  readonly #needs: ReadersNeeds;
  readonly #readers = new Set<Reader>();
  #onProgress: (() => void) | null = null;

  constructor(needs: ReadersNeeds) {
    this.#needs = needs;
  }

  get size(): number {
    return this.#readers.size;
  }

  /** Begins with the first entry at or after `from`, or with a gap. */
  add(target: LiveReader, from: Lsn, gap: GapReason | null): Following {
    const reader = new Reader(target, from, gap, this.#needs, () => this.#onProgress?.());
    this.#readers.add(reader);
    // Not before whoever asked has the answer.
    setImmediate(() => reader.run());
    return {
      position: () => reader.position(),
      stop: () => {
        reader.stop();
        if (this.#readers.delete(reader) && this.#readers.size === 0) this.#needs.onEmpty();
        this.#onProgress?.();
      },
    };
  }

  wake(): void {
    for (const reader of this.#readers) reader.run();
  }

  /** All have missed something. */
  gap(reason: GapReason): void {
    for (const reader of this.#readers) reader.fall(reason);
  }

  /**
   * Waits, if need be, until everybody has read what has to go from the ring (entries with numbers below `seq`), or has used up its
   * patience: then it falls off, alone.
   */
  makeWay(seq: number): void | Promise<void> {
    if (this.#behind(seq).length > 0) return this.#wait(seq);
  }

  #behind(seq: number): readonly Reader[] {
    const behind: Reader[] = [];
    for (const reader of this.#readers) if (reader.isBefore(seq) && reader.patienceMs > 0) behind.push(reader);
    return behind;
  }

  async #wait(seq: number): Promise<void> {
    for (let behind = this.#behind(seq); behind.length > 0; behind = this.#behind(seq)) {
      const since = this.#needs.nowMs();
      const leastMs = Math.min(...behind.map(({ patienceMs }) => patienceMs));
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.ceil(leastMs));
        this.#onProgress = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#onProgress = null;
      const waitedMs = this.#needs.nowMs() - since;
      for (const reader of behind) reader.patienceMs -= waitedMs;
    }
  }
}

class Reader {
  readonly #target: LiveReader;
  readonly #needs: ReadersNeeds;
  readonly #onProgress: () => void;
  /** Entries before it are not for this reader. */
  readonly #from: Lsn;
  /** Number of the entry it is at. */
  #seq: number;
  #gap: GapReason | null;
  /** Where it goes on may be the middle of a transaction whose beginning it has not seen. */
  #isAfterGap = false;
  #isBusy = false;
  #isRunning = false;
  #isStopped = false;
  patienceMs: number;

  constructor(target: LiveReader, from: Lsn, gap: GapReason | null, needs: ReadersNeeds, onProgress: () => void) {
    this.#target = target;
    this.#needs = needs;
    this.#onProgress = onProgress;
    this.#from = from;
    this.#gap = gap;
    this.#seq = needs.ring.seqFrom(from);
    this.patienceMs = needs.patienceMs;
  }

  /** Never before where it began: what is not for it need not come first. */
  position(): Lsn {
    const { ring, position } = this.#needs;
    if (this.#seq >= ring.endSeq) return laterOf(this.#from, position());
    return laterOf(this.#from, this.#seq < ring.startSeq ? ring.floor : ring.at(this.#seq).entry.lsn);
  }

  isBefore(seq: number): boolean {
    return !this.#isStopped && this.#gap === null && this.#seq < seq;
  }

  fall(reason: GapReason): void {
    this.#gap = reason;
    this.run();
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Takes in what there is, at once as long as it need not wait. */
  run(): void {
    // Who is told something may do what tells everybody.
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#takeAll();
    this.#isRunning = false;
  }

  #takeAll(): void {
    const { ring } = this.#needs;
    for (let count = 0; !this.#isBusy && !this.#isStopped; count++) {
      if (this.#seq < ring.startSeq && this.#gap === null) this.#fallOff();
      if (this.#gap !== null) {
        this.#tellGap(this.#gap);
        continue;
      }
      if (this.#seq >= ring.endSeq) {
        this.patienceMs = this.#needs.patienceMs;
        return;
      }
      if (count >= entriesPerTurn) return this.#pause();
      const { entry, isFirst } = ring.at(this.#seq);
      if (entry.lsn < this.#from || (this.#isAfterGap && !isFirst)) {
        this.#seq++;
        continue;
      }
      this.#isAfterGap = false;
      try {
        const taken = this.#target.onEntry(entry);
        if (taken instanceof Promise) return this.#wait(taken);
      } catch (error) {
        this.#failed(error);
      }
      this.#seq++;
    }
  }

  #wait(taken: Promise<void>): void {
    this.#isBusy = true;
    void taken
      .catch((error: unknown) => this.#failed(error))
      .then(() => {
        this.#isBusy = false;
        this.#seq++;
        this.run();
        this.#onProgress();
      });
  }

  #pause(): void {
    this.#isBusy = true;
    setImmediate(() => {
      this.#isBusy = false;
      this.run();
      this.#onProgress();
    });
  }

  /** What it has not read yet had to go. */
  #fallOff(): void {
    this.#gap = "retention";
    this.#needs.observe({ kind: "log.gap", reader: this.#target.name, reason: this.#gap });
  }

  #tellGap(reason: GapReason): void {
    this.#gap = null;
    this.#seq = this.#needs.ring.endSeq;
    this.#isAfterGap = true;
    try {
      this.#target.onGap(reason);
    } catch (error) {
      this.#report(error);
    }
  }

  /** It has not taken in what it was told: that is a gap, and one that says so is better than one that does not. */
  #failed(error: unknown): void {
    this.#report(error);
    this.#gap ??= "retention";
  }

  #report(error: unknown): void {
    const words = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#needs.observe({
      kind: "warning",
      area: "log",
      message: `The reader "${this.#target.name}" failed: ${words}`,
    });
  }
}
