import type { Batch, LogEntry, Lsn } from "../../../kernel/change.ts";
import type { Judged } from "./judge.ts";

export interface PipelineNeeds {
  /** Who gets what of a batch; at once where nothing must be asked. */
  readonly judge: (batch: Batch) => readonly Judged[] | Promise<readonly Judged[]>;
  readonly deliver: (judged: readonly Judged[], number: number) => void;
  /** A batch could not be judged: whoever waits for changes of its tables may have missed some. */
  readonly onLost: (batch: Batch, error: unknown) => void;
  /** Batches that may be on their way together. */
  readonly window: number;
  /** What becomes of more of them: whoever gives them waits, or they are lost. */
  readonly beyond: "waits" | "loses";
}

/** A place among the batches of the log: large transactions come in several. */
export interface Mark {
  readonly lsn: Lsn;
  readonly first: number;
}

export const isBeyond = ({ lsn, first }: Mark, mark: Mark): boolean =>
  lsn > mark.lsn || (lsn === mark.lsn && first > mark.first);

/**
 * Judges batches side by side and delivers them strictly one after the other. Where nothing must be asked, a batch is on its channels
 * before the next is looked at.
 */
export class Pipeline {
  readonly #needs: PipelineNeeds;
  #number = 0;
  #taken: Mark | null = null;
  #delivered: Lsn = 0n;
  #inFlight = 0;
  #tail: Promise<void> = Promise.resolve();
  #freed: (() => void)[] = [];

  constructor(needs: PipelineNeeds) {
    this.#needs = needs;
  }

  /** Number of the last batch that was taken in; the next one has the next. */
  get number(): number {
    return this.#number;
  }

  /** The last batch that was taken in; `null` before the first. */
  get taken(): Mark | null {
    return this.#taken;
  }

  /** Everything before it is on its channels; `null` while nothing is on its way. */
  get delivered(): Lsn | null {
    return this.#inFlight === 0 ? null : this.#delivered;
  }

  /** Resolves when all that was taken in so far has been delivered. */
  drained(): Promise<void> {
    return this.#tail;
  }

  /** @returns when the next entry may come */
  take(entry: LogEntry): Promise<void> | undefined {
    if (entry.kind === "message") return undefined;
    const number = ++this.#number;
    this.#taken = { lsn: entry.lsn, first: entry.first };
    if (this.#needs.beyond === "loses" && this.#inFlight >= this.#needs.window) {
      this.#needs.onLost(entry, new Error(`${this.#inFlight} batches are on their way already.`));
      return undefined;
    }
    const judged = this.#judge(entry);
    if (!(judged instanceof Promise) && this.#inFlight === 0) {
      this.#deliver(judged, entry, number);
      return undefined;
    }
    if (this.#inFlight++ === 0) this.#delivered = entry.lsn;
    this.#tail = this.#tail
      .then(() => judged)
      .then((settled) => this.#deliver(settled, entry, number))
      .finally(() => {
        this.#inFlight--;
        this.#freed.shift()?.();
      });
    if (this.#needs.beyond === "loses" || this.#inFlight < this.#needs.window) return undefined;
    return new Promise((resolve) => this.#freed.push(resolve));
  }

  /** Never throws, never rejects. */
  #judge(batch: Batch): readonly Judged[] | Promise<readonly Judged[]> {
    try {
      const judged = this.#needs.judge(batch);
      return judged instanceof Promise ? judged.catch((error: unknown) => this.#lose(batch, error)) : judged;
    } catch (error) {
      return this.#lose(batch, error);
    }
  }

  #lose(batch: Batch, error: unknown): readonly Judged[] {
    this.#needs.onLost(batch, error);
    return [];
  }

  #deliver(judged: readonly Judged[], batch: Batch, number: number): void {
    try {
      this.#needs.deliver(judged, number);
    } catch (error) {
      this.#needs.onLost(batch, error);
    }
    if (batch.endLsn > this.#delivered) this.#delivered = batch.endLsn;
  }
}
