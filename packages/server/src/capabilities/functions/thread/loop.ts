import type { Definition } from "@mainstay/functions/definition";
import type { Json } from "../../../platform/jobs/types.ts";
import type { FrameWriter } from "../channel/frame-writer.ts";
import { bodyFlag, joinHead, splitHead } from "../channel/heads.ts";
import { frameKind } from "../channel/kinds.ts";
import type { Result } from "../channel/messages.ts";
import { Numbered } from "../channel/numbered.ts";
import { inPieces } from "../channel/pieces.ts";
import type { Streams } from "../channel/streams.ts";
import type { HttpInput, HttpOutput } from "../types.ts";
import type { Asking } from "./asking.ts";
import { current } from "./current.ts";
import { Run } from "./run.ts";
import { type Caller, Suspension, type World } from "./wire.ts";

interface LoopNeeds {
  readonly world: World;
  readonly writer: FrameWriter;
  readonly streams: Streams;
  readonly asking: Asking;
  /** Sends what was written, at the end of this turn. */
  flush(): void;
  flushNow(): void;
  onBegin(number: number): void;
  cpuMicros(): number;
}

/**
 * Runs invocations one after another, as they come. Those that end at once may come many at a time; as soon as one waits, it has the thread alone,
 * and what has not begun goes back to the server, which has other threads.
 */
export class Loop {
  functionName = "";
  definitions: readonly Definition[] = [];
  readonly #needs: LoopNeeds;
  readonly #callers = new Map<number, Caller>();
  readonly #runs = new Numbered<Run>();
  #queue: Run[] = [];
  /** Begun, and not over. */
  #pending = 0;
  /** Invocations begun in one turn of the loop are told from those of another by it. */
  #turn = 0;
  #isPumping = false;
  #isLookDue = false;
  readonly #onSettled = (run: Run): void => this.#endOf(run);

  constructor(needs: LoopNeeds) {
    this.#needs = needs;
  }

  /** Whether a frame was meant for this. */
  take(kind: number, number: number, bytes: Buffer, start: number, end: number): boolean {
    switch (kind) {
      case frameKind.request:
        this.#queue.push(this.#readRequest(number, bytes, start, end));
        return true;
      case frameKind.run:
        this.#queue.push(this.#readRun(number, bytes, start, end));
        return true;
      case frameKind.caller:
        this.#callers.set(number, JSON.parse(bytes.toString("utf8", start, end)) as Caller);
        return true;
      case frameKind.cancel:
        this.#cancel(number, bytes.toString("utf8", start, end));
        return true;
      default:
        return false;
    }
  }

  /** Begins as many as may be begun. */
  pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (this.#queue.length > 0 && this.#hasRoomFor(this.#queue[0]!)) this.#begin(this.#queue.shift()!);
    this.#isPumping = false;
    if (this.#isLookDue || (this.#queue.length === 0 && this.#pending === 0)) return;
    this.#isLookDue = true;
    setImmediate(this.#look);
  }

  /** After everything that could happen at once has happened: what still stands here waits for one that waits. */
  readonly #look = (): void => {
    this.#isLookDue = false;
    this.#turn++;
    if (this.#queue.length === 0) return;
    const { writer } = this.#needs;
    writer.begin(frameKind.returned, 0);
    for (const run of this.#queue) {
      this.#runs.delete(run.number);
      writer.u32(run.number);
    }
    writer.end();
    this.#queue = [];
    this.#needs.flushNow();
  };

  #hasRoomFor(run: Run): boolean {
    if (this.#pending === 0) return true;
    const definition = this.definitions[run.index];
    return definition?.kind === "http" && this.#pending < (definition.options.sharedBy ?? 1);
  }

  #begin(run: Run): void {
    this.#pending++;
    this.#needs.onBegin(run.number);
    run.turn = this.#turn;
    run.begunAtMicros = this.#needs.cpuMicros();
    current.run({ invocation: run, wire: run }, this.#handle, run);
  }

  readonly #handle = (run: Run): void => {
    const { world } = this.#needs;
    try {
      const definition = this.definitions[run.index];
      if (definition === undefined) throw new Error(`The function has no definition ${run.index}.`);
      const context = world.createContext(run, run);
      if (run.isRequest) {
        const request = world.createRequest(run.input as HttpInput, () => run.signal);
        const given = (definition.handler as (request: Request, context: unknown) => unknown)(request, context);
        if (isThenable(given))
          given.then(
            (response) => this.#answer(run, response),
            (error) => this.#threw(run, error),
          );
        else this.#answer(run, given);
      } else {
        const input = world.createInput(definition, run.input as Json);
        const given = (definition.handler as (input: unknown, context: unknown) => unknown)(input, context);
        if (isThenable(given))
          given.then(
            (result) => this.#give(run, result),
            (error) => this.#threw(run, error),
          );
        else this.#give(run, given);
      }
    } catch (error) {
      this.#threw(run, error);
    }
  };

  #answer(run: Run, response: unknown): void {
    try {
      const output = this.#needs.world.readResponse(response);
      if (output instanceof Promise)
        output.then(
          (read) => this.#send(run, read),
          (error) => this.#threw(run, error),
        );
      else this.#send(run, output);
    } catch (error) {
      this.#threw(run, error);
    }
  }

  #send(run: Run, output: HttpOutput): void {
    const { writer, streams } = this.#needs;
    const body = inPieces(output.body);
    const isWhole = Buffer.isBuffer(body);
    const streaming = body !== null && !isWhole ? body : null;
    if (streaming === null) run.isOver = run.pending === 1;
    run.isAnswered = true;
    const flags =
      (isWhole ? bodyFlag.whole : streaming === null ? 0 : bodyFlag.streams) |
      (run.isOver ? bodyFlag.mark : 0) |
      (run.turn === this.#turn ? bodyFlag.atOnce : 0);
    writer
      .begin(frameKind.answer, run.number)
      .u16(output.status)
      .u8(flags)
      .u32(this.#needs.cpuMicros() - run.begunAtMicros)
      .latin1(joinHead(output.headers));
    if (isWhole) writer.bytes(body);
    writer.end();
    this.#needs.flush();
    if (streaming === null) run.settleOne();
    else {
      streams
        .send(run.number, streaming)
        .catch((error: unknown) => run.log("error", `The answer broke off: ${wordsOf(error)}`))
        .finally(() => run.settleOne());
    }
  }

  #give(run: Run, result: unknown): void {
    // What JSON cannot say is nothing.
    this.#sendResult(run, { kind: "done", result: (result ?? null) as Json });
  }

  #threw(run: Run, error: unknown): void {
    if (error instanceof Suspension) return this.#sendResult(run, { kind: "suspended", outcome: error.outcome });
    const isError = error instanceof Error;
    const thrown = {
      name: isError ? error.name : "Error",
      message: isError ? error.message : String(error),
      stack: isError ? (error.stack ?? null) : null,
    };
    this.#sendResult(run, { kind: "threw", thrown });
  }

  #sendResult(run: Run, result: Result): void {
    if (run.isAnswered) return;
    let text: string;
    try {
      text = JSON.stringify(result);
    } catch (error) {
      const thrown = {
        name: "TypeError",
        message: `The result cannot be kept as JSON: ${wordsOf(error)}`,
        stack: null,
      };
      text = JSON.stringify({ kind: "threw", thrown } satisfies Result);
    }
    run.isAnswered = true;
    this.#needs.writer
      .begin(frameKind.result, run.number)
      .u32(this.#needs.cpuMicros() - run.begunAtMicros)
      .text(text)
      .end();
    this.#needs.flush();
    run.settleOne();
  }

  /** Everything that belongs to it has settled. */
  #endOf(run: Run): void {
    if (!run.isOver) {
      run.isOver = true;
      this.#needs.writer
        .begin(frameKind.over, run.number)
        .u32(this.#needs.cpuMicros() - run.begunAtMicros)
        .end();
      this.#needs.flush();
    }
    this.#runs.delete(run.number);
    if (run.hasStream) this.#needs.streams.drop(run.number, new Error("The invocation is over."));
    this.#pending--;
    this.pump();
  }

  #cancel(number: number, message: string): void {
    const run = this.#runs.get(number);
    if (run === undefined) return;
    // Who listens for it belongs to the invocation, and so do the lines it writes.
    current.run({ invocation: run, wire: run }, () => run.cancel(message));
  }

  #readRequest(number: number, bytes: Buffer, start: number, end: number): Run {
    const flags = bytes[start + 2]!;
    const headStart = start + 9;
    const headEnd = headStart + bytes.readUInt32LE(start + 5);
    const [id, method, url, ...headers] = splitHead(bytes, headStart, headEnd) as [string, string, string, ...string[]];
    const body =
      (flags & bodyFlag.whole) !== 0
        ? bytes.subarray(headEnd, end)
        : (flags & bodyFlag.streams) !== 0
          ? this.#needs.streams.receive(number)
          : null;
    return this.#runOf(number, id, bytes, start, { method, url, headers, body }, null, true);
  }

  #readRun(number: number, bytes: Buffer, start: number, end: number): Run {
    const idEnd = start + 9 + bytes.readUInt32LE(start + 5);
    const id = bytes.toString("latin1", start + 9, idEnd);
    const [input, context] = JSON.parse(bytes.toString("utf8", idEnd, end)) as [Json, Json];
    return this.#runOf(number, id, bytes, start, input, context, false);
  }

  #runOf(
    number: number,
    id: string,
    bytes: Buffer,
    start: number,
    input: HttpInput | Json,
    context: Json,
    isRequest: boolean,
  ): Run {
    const caller = this.#callers.get(bytes.readUInt16LE(start + 3))!; // sent before whoever needs it
    const run = new Run(
      {
        number,
        id,
        functionName: this.functionName,
        caller,
        isCalled: (bytes[start + 2]! & bodyFlag.mark) !== 0,
        index: bytes.readUInt16LE(start),
        input,
        context,
        isRequest,
      },
      this.#needs.asking,
      this.#onSettled,
    );
    this.#runs.set(number, run);
    return run;
  }
}

const isThenable = (value: unknown): value is Promise<unknown> =>
  typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
