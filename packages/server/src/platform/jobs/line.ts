import type { AnyHandler } from "./endings.ts";
import type { ClaimedRow } from "./store.ts";
import type { ClaimedJob } from "./types.ts";

/** A claim that has not begun. */
export interface Waiting {
  readonly job: ClaimedJob;
  readonly priority: number;
  readonly place: number;
  readonly losses: number;
  /** By the monotonic clock. */
  readonly claimedAtMs: number;
}

/** Claimed jobs are to have begun within so long, in ms: what is beyond it other nodes may take. */
const aheadMs = 100;

/** Jobs of one handler that this node has claimed and not begun, and how many more it wants. */
export class Line {
  readonly handler: AnyHandler;
  readonly size: number;
  readonly concurrency: number;
  readonly #aheadMax: number;
  #waiting: Waiting[] = [];
  #head = 0;
  #perMs = 0;
  #begun = 0;
  /** Places taken: a batch has one. */
  running = 0;

  constructor(handler: AnyHandler, limits: { readonly concurrency: number; readonly aheadMax: number }) {
    this.handler = handler;
    this.size = "size" in handler ? Math.max(1, handler.size) : 1;
    this.concurrency = Math.max(1, handler.concurrency ?? limits.concurrency);
    this.#aheadMax = limits.aheadMax;
  }

  get length(): number {
    return this.#waiting.length - this.#head;
  }

  get first(): Waiting | undefined {
    return this.#waiting[this.#head];
  }

  get hasRoom(): boolean {
    return this.running < this.concurrency;
  }

  /** How many more to claim. @param room places that this node has left */
  wants(room: number): number {
    const places = Math.min(room, this.concurrency - this.running);
    const ahead = Math.min(this.#aheadMax, Math.ceil(this.#perMs * aheadMs));
    return Math.max(0, places * this.size + ahead - this.length);
  }

  put(claimed: readonly Waiting[]): void {
    const last = this.#waiting.at(-1);
    this.#waiting = this.#head === 0 ? this.#waiting : this.#waiting.slice(this.#head);
    this.#head = 0;
    this.#waiting.push(...claimed);
    if (last !== undefined && comesBefore(claimed[0]!, last))
      this.#waiting.sort((a, b) => (comesBefore(a, b) ? -1 : 1));
  }

  /** Takes what one place runs: one job, or as many of a batch as are here. */
  take(): readonly Waiting[] {
    const taken = this.#waiting.slice(this.#head, this.#head + this.size);
    this.#head += taken.length;
    if (this.#head === this.#waiting.length) {
      this.#waiting = [];
      this.#head = 0;
    }
    this.#begun += taken.length;
    return taken;
  }

  /** Takes out those that were claimed before then, or all. */
  giveBack(beforeMs = Number.POSITIVE_INFINITY): readonly Waiting[] {
    const all = this.#waiting.slice(this.#head);
    const old = all.filter(({ claimedAtMs }) => claimedAtMs < beforeMs);
    this.#waiting = all.filter(({ claimedAtMs }) => claimedAtMs >= beforeMs);
    this.#head = 0;
    if (old.length > 0) this.#perMs = 0;
    return old;
  }

  remove(id: string): boolean {
    const at = this.#waiting.findIndex(({ job }, place) => place >= this.#head && job.id === id);
    if (at < 0) return false;
    this.#waiting.splice(at, 1);
    return true;
  }

  *[Symbol.iterator](): Iterator<Waiting> {
    yield* this.#waiting.slice(this.#head);
  }

  /** Learns how fast jobs are begun. */
  measure(elapsedMs: number): void {
    this.#perMs = (this.#perMs + this.#begun / Math.max(1, elapsedMs)) / 2;
    this.#begun = 0;
  }
}

/** Which of two runs first: the lower priority, and then who was put in first. */
export const comesBefore = (a: Pick<Waiting, "priority" | "place">, b: Pick<Waiting, "priority" | "place">): boolean =>
  a.priority !== b.priority ? a.priority < b.priority : a.place < b.place;

export function waitingOf(row: ClaimedRow, maxAttempts: number, claimedAtMs: number): Waiting {
  const [
    id,
    name,
    queue,
    payload,
    key,
    claim,
    failures,
    losses,
    ownMaxAttempts,
    priority,
    place,
    createdAtMs,
    causedBy,
  ] = row;
  const attempt = failures + 1;
  const maxOfJob = ownMaxAttempts ?? maxAttempts;
  return {
    job: { id, name, queue, payload, key, attempt, claim, maxAttempts: maxOfJob, createdAtMs, causedBy },
    priority,
    place,
    losses,
    claimedAtMs,
  };
}
