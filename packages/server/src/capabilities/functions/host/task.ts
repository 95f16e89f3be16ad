import type { Linked } from "../../../kernel/linked-list.ts";
import { Problem } from "../../../kernel/problem.ts";
import type { Json } from "../../../platform/jobs/types.ts";
import type { Thrown } from "../channel/messages.ts";
import { problems } from "../problems.ts";
import { FunctionError, type HttpInput, type HttpOutput, type Invocation, type RunResult } from "../types.ts";
import { NotOurWords } from "./said.ts";
import type { Thread } from "./thread.ts";

/** What is to be run, and who waits for it. */
export type Work =
  | { readonly kind: "request"; readonly input: HttpInput; resolve(output: HttpOutput): void }
  | { readonly kind: "run"; readonly input: Json; readonly context: Json; resolve(result: RunResult): void };

/** One invocation on its way through the host. */
export class Task implements Linked<Task> {
  previous: Task | null = null;
  next: Task | null = null;
  isLinked = false;
  readonly invocation: Invocation;
  readonly work: Work;
  readonly #reject: (error: unknown) => void;
  /** Performance clock. */
  readonly queuedAtMs: number;
  /** Performance clock; `Infinity` for what may take as long as it lives. */
  deadlineAtMs = Number.POSITIVE_INFINITY;
  /** After it the thread that still runs this is ended. */
  endAtMs = Number.POSITIVE_INFINITY;
  /** Where it is, and its number there. */
  thread: Thread | null = null;
  number = 0;
  isSettled = false;
  isWatched = false;
  logLines = 0;
  /** The body of its request or of its answer comes as it is sent. */
  streams = false;
  /** How often a thread has given it back without having begun it. */
  returns = 0;
  #isAnswered = false;
  /** Of the answer; 0 while there is none. */
  status = 0;
  /** What its handler threw. */
  error: unknown = null;
  #onGone: (() => void) | null = null;

  constructor(invocation: Invocation, work: Work, reject: (error: unknown) => void, nowMs: number) {
    this.invocation = invocation;
    this.work = work;
    this.#reject = reject;
    this.queuedAtMs = nowMs;
  }

  /** An invocation has one answer. @throws NotOurWords at the second */
  assertUnanswered(): void {
    if (this.#isAnswered) throw new NotOurWords("It has answered twice.");
    this.#isAnswered = true;
  }

  answer(output: HttpOutput): void {
    if (this.isSettled) return;
    this.isSettled = true;
    this.status = output.status;
    if (this.work.kind === "request") this.work.resolve(output);
  }

  give(result: RunResult): void {
    if (this.isSettled) return;
    this.isSettled = true;
    if (this.work.kind === "run") this.work.resolve(result);
  }

  /** The handler threw: of a request whoever called is not told what. */
  threw(thrown: Thrown): void {
    const error = new FunctionError(thrown);
    this.error = error;
    this.fail(this.work.kind === "request" ? problems.threw(error) : error);
  }

  fail(error: unknown): void {
    if (this.isSettled) return;
    this.isSettled = true;
    this.error ??= error;
    if (error instanceof Problem) this.status = error.status;
    this.#reject(error);
  }

  /** Listens to the invocation's signal. Not before it has lasted a while: of most it is never asked for, and making one costs. */
  watch(onAbort: () => void): void {
    if (this.isWatched) return;
    this.isWatched = true;
    const { signal } = this.invocation;
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    this.#onGone = () => signal.removeEventListener("abort", onAbort);
  }

  /** It is over in every respect. */
  forget(): void {
    this.#onGone?.();
    this.#onGone = null;
    this.thread = null;
  }
}
