import type { Loaded } from "../channel/messages.ts";
import type { BuiltFunction, DefinitionSummary, LogLine } from "../types.ts";
import type { Task } from "./task.ts";
import type { Thread, ThreadEnd, ThreadNeeds } from "./thread.ts";

export interface PoolNeeds {
  readonly built: BuiltFunction;
  readonly maxThreads: number;
  readonly maxQueued: number;
  readonly memoryMb: number;
  /** Asks for a thread: `null` when there may be none now; `placesFreed` is called when there may. */
  openThread(needs: Pick<ThreadNeeds, "memoryMb" | keyof ThreadEvents>): Thread | null;
  onOver(task: Task, micros: number): void;
  onLog(line: LogLine): void;
  /** It ended by itself, or had to be. */
  onThreadEnded(begun: readonly Task[], end: ThreadEnd): void;
  /** A module that was loaded before could not be loaded again. */
  onBootFailed(loaded: Loaded): void;
}

type ThreadEvents = Pick<
  ThreadNeeds,
  "onLoaded" | "onRoom" | "onAnswer" | "onOver" | "onLog" | "onReturned" | "onEnded"
>;

/** How long something waits for a thread that is there before another is started: starting one costs more than most invocations. */
const patienceMs = 5;
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
  readonly threads = new Set<Thread>();
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

  /** Another function's thread has gone: there may be room now. */
  placesFreed(): void {
    this.#startSoon();
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

  #retire(thread: Thread): void {
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

  #hasRoom(thread: Thread): boolean {
    if (!thread.isReady || thread.isRetired || thread.isWaiting) return false;
    return thread.tasks.size < Math.max(this.#depth, this.#sharedBy);
  }

  #onRoom(thread: Thread): void {
    if (thread.isRetired || thread.hasWorn) return this.#retire(thread);
    while (this.#queue.length > 0 && this.#hasRoom(thread)) thread.send(this.#queue.shift()!);
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

  /** Starts a thread at once where there is none, and otherwise when those that are there do not get through. */
  #startSoon(): void {
    if (this.#queue.length === 0 || this.#patience !== null || this.#isRetired) return;
    if (this.threads.size >= this.#needs.maxThreads) return;
    if (this.threads.size === 0 && performance.now() >= this.#retryAtMs) return this.#start();
    this.#patience = setTimeout(
      () => {
        this.#patience = null;
        const oldest = this.#queue[0];
        if (oldest === undefined) return;
        const nowMs = performance.now();
        const mayStart = this.#starting < Math.max(1, this.threads.size >> 1) && nowMs >= this.#retryAtMs;
        if (nowMs - oldest.queuedAtMs >= patienceMs && mayStart) this.#start();
        this.#startSoon();
      },
      this.#starting > 0 ? patienceMs * 4 : patienceMs,
    );
  }

  #start(): void {
    if (this.threads.size >= this.#needs.maxThreads) return;
    const thread = this.#needs.openThread({ memoryMb: this.#needs.memoryMb, ...this.#events });
    if (thread === null) return;
    this.#starting++;
    this.threads.add(thread);
  }

  #onLoaded(thread: Thread, loaded: Loaded): void {
    this.#starting--;
    if ("thrown" in loaded) {
      thread.end();
      return this.#bootFailed(loaded);
    }
    this.#bootFailures = 0;
    thread.isReady = true;
    thread.idleSinceMs = performance.now();
    this.#onFirst?.(loaded);
    this.#onFirst = null;
    if (this.#isRetired || thread.isRetired) return this.#retire(thread);
    this.#onRoom(thread);
  }

  #onEnded(thread: Thread, begun: readonly Task[], end: ThreadEnd): void {
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
