import { LinkedList } from "../../../kernel/linked-list.ts";
import type { Task } from "./task.ts";

const sweepMs = 100;
/** Sweeps without anything to look at before the clock rests. */
const restAfter = 20;

export interface DeadlineNeeds {
  /** It has waited too long for a thread. */
  readonly queueMs: number;
  onQueuedTooLong(task: Task): void;
  onDeadline(task: Task): void;
  /** Told, and still there. */
  onEnd(task: Task): void;
  onGone(task: Task): void;
  /** Whether there is anything to look at has changed. */
  onBusy(isBusy: boolean): void;
}

/**
 * One clock for all invocations: most are over before it looks once, and a timer for each would cost more than they do. Whether the caller is still
 * there is asked no sooner, either.
 */
export class Deadlines {
  readonly #needs: DeadlineNeeds;
  readonly #tasks = new LinkedList<Task>();
  #timer: NodeJS.Timeout | null = null;
  #idleSweeps = 0;

  constructor(needs: DeadlineNeeds) {
    this.#needs = needs;
  }

  get count(): number {
    return this.#tasks.count;
  }

  add(task: Task): void {
    this.#tasks.add(task);
    if (this.#timer !== null) return;
    this.#timer = setInterval(() => this.#sweep(performance.now()), sweepMs);
    this.#needs.onBusy(true);
  }

  delete(task: Task): void {
    this.#tasks.remove(task);
  }

  [Symbol.iterator](): IterableIterator<Task> {
    return this.#tasks[Symbol.iterator]();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #sweep(nowMs: number): void {
    this.#idleSweeps = this.#tasks.count === 0 ? this.#idleSweeps + 1 : 0;
    if (this.#idleSweeps > restAfter) {
      this.stop();
      this.#idleSweeps = 0;
      return this.#needs.onBusy(false);
    }
    for (const task of this.#tasks) this.#look(task, nowMs);
  }

  #look(task: Task, nowMs: number): void {
    if (nowMs >= task.endAtMs) return this.#needs.onEnd(task);
    if (nowMs >= task.deadlineAtMs) {
      task.deadlineAtMs = Number.POSITIVE_INFINITY;
      return this.#needs.onDeadline(task);
    }
    if (task.thread === null && task.work.kind === "request" && nowMs - task.queuedAtMs > this.#needs.queueMs) {
      return this.#needs.onQueuedTooLong(task);
    }
    if (!task.isWatched && nowMs - task.queuedAtMs >= sweepMs) task.watch(() => this.#needs.onGone(task));
  }
}
