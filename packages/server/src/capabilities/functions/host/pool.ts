import type { Loaded } from "../channel/messages.ts";
import type { BuiltFunction, DefinitionSummary, LogLine } from "../types.ts";
import type { Task } from "./task.ts";
import type { Thread, ThreadEnd, ThreadNeeds } from "./thread.ts";

export interface PoolNeeds {
  readonly built: BuiltFunction;
  readonly maxThreads: number;
  readonly maxQueued: number;
  readonly memoryMb: number;
  /**
   * Asks for a thread. `full`: there may be none now, and `placesFreed` is called when there may; `never`: there will be none, since the server stops.
   */
  openThread(needs: Pick<ThreadNeeds, "memoryMb"> & ThreadEvents): PoolThread | "full" | "never";
  onOver(task: Task, micros: number): void;
  onLog(line: LogLine): void;
  /** A thread has nothing to do: another function could have its place. */
  onIdle(): void;
  /** It ended by itself, or had to be. */
  onThreadEnded(begun: readonly Task[], end: ThreadEnd): void;
  /** A module that was loaded before could not be loaded again. */
  onBootFailed(loaded: Loaded): void;
}

/** What a pool knows of a thread. */
export type PoolThread = Pick<
  Thread,
  "end" | "hasLoaded" | "hasWorn" | "idleSinceMs" | "isReady" | "isRetired" | "isWaiting" | "readySinceMs" | "send"
> & { readonly tasks: { readonly size: number } };

/** What a thread tells its pool. */
export type ThreadEvents = Pick<ThreadNeeds, "onAnswer" | "onOver" | "onLog" | "onReturned"> & {
  onLoaded(thread: PoolThread, loaded: Loaded): void;
  onRoom(thread: PoolThread): void;
  onEnded(thread: PoolThread, begun: readonly Task[], end: ThreadEnd): void;
};

/** How long something waits for a thread that is there before another is started: starting one costs more than most invocations. */
const patienceMs = 5;
/** How long a function's only thread is its own while others wait for a place. */
const turnMs = 250;
/** So many answers in a row without waiting, and a function gets several invocations at a time. */
const atOnceStreak = 16;
const mostAtOnce = 64;
/** What is sent at a time is worth so much work, in microseconds: the last of them waits for the others. */
const batchMicros = 4_000;
/** How often a module is loaded anew when the whole process dies over it. */
const deathsLimit = 3;
/** A module that was loaded before: after so many failures in a row, whoever waits is told. */
const bootFailuresLimit = 3;

/** One function: what waits to be run, and its threads. */
export class FunctionPool {
  readonly built: BuiltFunction;
  readonly threads = new Set<PoolThread>();
  definitions: readonly DefinitionSummary[] = [];
  #needs: PoolNeeds;
  #queue: Task[] = [];
  #starting = 0;
  #streak = 0;
  #micros = 0;
  /** Invocations that a thread may have at a time. */
  #depth = 1;
  #sharedBy = 1;
  #patience: NodeJS.Timeout | null = null;
  #isRetired = false;
  #bootFailures = 0;
  #deaths = 0;
  #retryAtMs = 0;
  readonly #events: ThreadEvents;
  #onFirst: ((loaded: Loaded) => void) | null = null;

  constructor(needs: PoolNeeds) {
    this.built = needs.built;
    this.#needs = needs;
    this.#events = {
      onLoaded: (thread, loaded) => this.#onLoaded(thread, loaded),
      onRoom: (thread) => this.#onRoom(thread),
      onAnswer: (atOnce, micros) => this.#learn(atOnce, micros),
      onOver: (task, micros) => needs.onOver(task, micros),
      onLog: (line) => needs.onLog(line),
      onReturned: (tasks) => this.#takeBack(tasks),
      onEnded: (thread, begun, end) => this.#onEnded(thread, begun, end),
    };
  }

  /** Loads the module in a first thread. @returns what it defines, or why it could not be loaded */
  load(): Promise<Loaded> {
    return new Promise((resolve) => {
      this.#onFirst = resolve;
      this.#start();
    });
  }

  /** Settled once definitions are known. */
  limit(limits: { readonly maxThreads: number; readonly memoryMb: number; readonly sharedBy: number }): void {
    const { memoryMb } = this.#needs;
    this.#needs = { ...this.#needs, ...limits };
    this.#sharedBy = limits.sharedBy;
    // The first was started before anybody knew.
    if (memoryMb !== limits.memoryMb) for (const thread of this.threads) this.#retire(thread);
  }

  /** @returns false when too many wait already */
  push(task: Task): boolean {
    if (this.#queue.length === 0 && this.#place(task)) return true;
    if (this.#queue.length >= this.#needs.maxQueued) return false;
    this.#queue.push(task);
    this.#startSoon();
    return true;
  }

  /** Takes one out that waits. */
  remove(task: Task): void {
    const at = this.#queue.indexOf(task);
    if (at >= 0) this.#queue.splice(at, 1);
  }

  /** There may be room now for the thread that it could not have. */
  placesFreed(): void {
    if (this.#onFirst !== null && this.threads.size === 0) this.#start();
    else this.#startSoon();
  }

  /** Nothing new is to be run by it; what runs is let finish. What waits is given back. */
  retire(): readonly Task[] {
    this.#isRetired = true;
    if (this.#patience !== null) clearTimeout(this.#patience);
    for (const thread of this.threads) this.#retire(thread);
    return this.#queue.splice(0);
  }

  /** Ends threads that have had nothing to do since then. @returns how many are left */
  endIdle(sinceMs: number): number {
    for (const thread of this.threads) {
      if (thread.isReady && thread.tasks.size === 0 && thread.idleSinceMs <= sinceMs) this.#retire(thread);
    }
    return this.threads.size;
  }

  /**
   * Lets one go, once it has done what it has: another function has none, and there may be no more. One that is the only one here has its turn first.
   * @returns 0, or after how many ms it is worth asking again
   */
  yieldOne(nowMs: number): number {
    let waitMs = Number.POSITIVE_INFINITY;
    const isOnly = this.threads.size === 1;
    for (const thread of this.threads) {
      if (!thread.isReady || thread.isRetired) continue;
      waitMs = isOnly ? Math.max(0, thread.readySinceMs + turnMs - nowMs) : 0;
      if (waitMs > 0) continue;
      this.#retire(thread);
      return 0;
    }
    return waitMs;
  }

  #retire(thread: PoolThread): void {
    thread.isRetired = true;
    if (thread.tasks.size === 0) thread.end();
  }

  #place(task: Task): boolean {
    for (const thread of this.threads) {
      if (!this.#hasRoom(thread)) continue;
      thread.send(task);
      return true;
    }
    return false;
  }

  #hasRoom(thread: PoolThread): boolean {
    if (!thread.isReady || thread.isRetired || thread.isWaiting) return false;
    return thread.tasks.size < Math.max(this.#depth, this.#sharedBy);
  }

  #onRoom(thread: PoolThread): void {
    if (thread.isRetired || thread.hasWorn) return this.#retire(thread);
    while (this.#queue.length > 0 && this.#hasRoom(thread)) thread.send(this.#queue.shift()!);
    if (thread.tasks.size === 0) this.#needs.onIdle();
  }

  #takeBack(tasks: readonly Task[]): void {
    this.#depth = 1;
    this.#streak = 0;
    this.#queue.unshift(...tasks.filter((task) => !task.isSettled));
    if (this.#isRetired) return;
    this.#fill();
    this.#startSoon();
  }

  #fill(): void {
    while (this.#queue.length > 0 && this.#place(this.#queue[0]!)) this.#queue.shift();
  }

  #learn(atOnce: boolean, micros: number): void {
    if (!atOnce) {
      this.#streak = 0;
      this.#depth = 1;
      return;
    }
    this.#micros += (micros - this.#micros) / 16;
    if (++this.#streak >= atOnceStreak) {
      this.#depth = Math.min(mostAtOnce, Math.max(1, Math.floor(batchMicros / (this.#micros + 1))));
    }
  }

  /**
   * Starts a thread at once where there is none, and otherwise when those that are there do not get through. Where there may be none now, whatever
   * changes that looks again: a thread that has loaded or ended, a place that is free.
   */
  #startSoon(): void {
    const oldest = this.#queue[0];
    if (oldest === undefined || this.#patience !== null || this.#isRetired) return;
    const { size } = this.threads;
    if (size >= this.#needs.maxThreads || this.#starting >= Math.max(1, size >> 1)) return;
    const nowMs = performance.now();
    const atMs = size === 0 ? this.#retryAtMs : Math.max(this.#retryAtMs, oldest.queuedAtMs + patienceMs);
    if (nowMs >= atMs) {
      if (this.#start()) this.#startSoon();
      return;
    }
    this.#patience = setTimeout(
      () => {
        this.#patience = null;
        this.#startSoon();
      },
      Math.ceil(atMs - nowMs),
    );
  }

  /** @returns whether there is one more */
  #start(): boolean {
    if (this.threads.size >= this.#needs.maxThreads) return false;
    const thread = this.#needs.openThread({ memoryMb: this.#needs.memoryMb, ...this.#events });
    if (thread === "full") return false;
    if (thread === "never") {
      this.#onFirst?.(overIt({ reason: "ended", message: "The server stops." }));
      this.#onFirst = null;
      return false;
    }
    this.#starting++;
    this.threads.add(thread);
    return true;
  }

  #onLoaded(thread: PoolThread, loaded: Loaded): void {
    this.#starting--;
    if ("thrown" in loaded) {
      thread.end();
      return this.#bootFailed(loaded);
    }
    this.#bootFailures = 0;
    thread.isReady = true;
    thread.readySinceMs = thread.idleSinceMs = performance.now();
    this.#onFirst?.(loaded);
    this.#onFirst = null;
    if (this.#isRetired || thread.isRetired) this.#retire(thread);
    else this.#onRoom(thread);
    this.#startSoon();
  }

  #onEnded(thread: PoolThread, begun: readonly Task[], end: ThreadEnd): void {
    this.threads.delete(thread);
    const isLoading = !thread.hasLoaded;
    if (isLoading) this.#starting--;
    this.#needs.onThreadEnded(begun, end);
    if (isLoading && end.reason !== "process") this.#bootFailed(overIt(end));
    else if (isLoading && this.#onFirst !== null) this.#loadAgain();
    this.#startSoon();
  }

  /** The process died while it was loaded: another function's fault, or its own. */
  #loadAgain(): void {
    if (++this.#deaths < deathsLimit) this.#start();
    else this.#bootFailed(overIt({ reason: "process", message: "The process died over it." }));
  }

  /** It may be the module's fault, or not: it is tried again, ever more rarely. */
  #bootFailed(loaded: Loaded): void {
    const isFirst = this.#onFirst !== null;
    this.#onFirst?.(loaded);
    this.#onFirst = null;
    this.#retryAtMs = performance.now() + Math.min(10_000, 100 * 2 ** this.#bootFailures++);
    // While others run it, whoever waits is served by them.
    if (!isFirst && this.threads.size === 0 && this.#bootFailures >= bootFailuresLimit)
      this.#needs.onBootFailed(loaded);
    this.#startSoon();
  }
}

const overIt = ({ reason, message }: ThreadEnd): Loaded => ({
  thrown: {
    name: "Error",
    message: `It ended while it was loaded (${reason}): ${message ?? "it says nothing"}`,
    stack: null,
  },
});
