import type { Json } from "../../../platform/jobs/types.ts";
import type { HttpInput, HttpOutput, LogLine } from "../types.ts";
import type { Asking } from "./asking.ts";
import { current } from "./current.ts";
import type { Caller, ThreadInvocation, Wire } from "./wire.ts";

/** One invocation in its thread: what is known of it, and its way to the server. */
export class Run implements ThreadInvocation, Wire {
  readonly number: number;
  readonly id: string;
  readonly functionName: string;
  readonly caller: Caller;
  readonly isCalled: boolean;
  readonly index: number;
  readonly input: HttpInput | Json;
  readonly context: Json;
  readonly isRequest: boolean;
  /** Which turn of the loop it was begun in. */
  turn = 0;
  /** CPU clock of the thread when it was begun, in microseconds. */
  begunAtMicros = 0;
  /** Its answer is given, or its result. */
  isAnswered = false;
  isOver = false;
  /** What it has to wait for besides its handler. */
  pending = 1;
  readonly #asking: Asking;
  readonly #onSettled: (run: Run) => void;
  #abort: AbortController | null = null;
  #reason: Error | null = null;
  #lines = 0;

  constructor(
    facts: Pick<
      Run,
      "number" | "id" | "functionName" | "caller" | "isCalled" | "index" | "input" | "context" | "isRequest"
    >,
    asking: Asking,
    onSettled: (run: Run) => void,
  ) {
    this.number = facts.number;
    this.id = facts.id;
    this.functionName = facts.functionName;
    this.caller = facts.caller;
    this.isCalled = facts.isCalled;
    this.index = facts.index;
    this.input = facts.input;
    this.context = facts.context;
    this.isRequest = facts.isRequest;
    this.#asking = asking;
    this.#onSettled = onSettled;
  }

  /** Whether the request's body comes as it is sent. */
  get hasStream(): boolean {
    if (!this.isRequest) return false;
    const { body } = this.input as HttpInput;
    return body !== null && !Buffer.isBuffer(body);
  }

  get signal(): AbortSignal {
    if (this.#abort === null) {
      this.#abort = new AbortController();
      if (this.#reason !== null) this.#abort.abort(this.#reason);
    }
    return this.#abort.signal;
  }

  cancel(message: string): void {
    this.#reason ??= new DOMException(message, "AbortError");
    // Whoever listens is told within the invocation, as if nobody had told it from outside.
    current.run({ invocation: this, wire: this }, () => this.#abort?.abort(this.#reason));
  }

  waitUntil(work: Promise<unknown>): void {
    if (this.isOver) throw new Error("This invocation is over: waitUntil() comes too late.");
    this.pending++;
    Promise.resolve(work).then(
      () => this.settleOne(),
      (error: unknown) => {
        this.log(
          "error",
          `What waitUntil() was given failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
        );
        this.settleOne();
      },
    );
  }

  /** One of the things that belong to it has come to an end. */
  settleOne(): void {
    this.pending--;
    if (this.pending === 0) this.#onSettled(this);
  }

  call(service: string, args: readonly Json[]): Promise<Json | undefined> {
    return this.isOver ? tooLate() : this.#asking.call(this.number, service, args);
  }

  fetch(input: HttpInput, as: "caller" | "admin" | "sent", signal?: AbortSignal): Promise<HttpOutput> {
    return this.isOver ? tooLate() : this.#asking.fetch(this.number, input, as, signal);
  }

  log(level: LogLine["level"], message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    if (++this.#lines > this.#asking.mostLines) return;
    this.#asking.log(this.number, this.id, level, message, fields);
  }
}

const tooLate = (): Promise<never> =>
  Promise.reject(new Error("This invocation is over: nothing can be asked for in it."));
