import type { Socket } from "node:net";
import { FrameReader } from "../channel/frame-reader.ts";
import { FrameWriter } from "../channel/frame-writer.ts";
import { bodyFlag } from "../channel/heads.ts";
import { frameKind, frameLimitBytes } from "../channel/kinds.ts";
import type { EndReason, Loaded, Report } from "../channel/messages.ts";
import { Numbered } from "../channel/numbered.ts";
import { Streams } from "../channel/streams.ts";
import { problems } from "../problems.ts";
import type { HttpOutput, LogLine } from "../types.ts";
import { Asked, type AskedNeeds } from "./asked.ts";
import { Callers } from "./callers.ts";
import type { FunctionsProcess } from "./functions-process.ts";
import { writeInvocation } from "./invocation-frame.ts";
import { Lately } from "./lately.ts";
import { LimitedBody } from "./limited-body.ts";
import {
  assertBytes,
  crashOf,
  headOf as headIn,
  loadedOf,
  logFrameBytes,
  logLineOf,
  NotOurWords,
  resultOf,
  statusOf,
} from "./said.ts";
import type { Task } from "./task.ts";

/** Why a thread is no more, for those whose invocations it had begun. */
export interface ThreadEnd {
  /** `process`: the whole process has died. */
  readonly reason: EndReason | "process";
  readonly message: string | null;
}

export interface ThreadNeeds extends AskedNeeds {
  readonly process: FunctionsProcess;
  readonly start: Parameters<FunctionsProcess["start"]>[0];
  readonly memoryMb: number;
  /** Longest time until its module is loaded. */
  readonly bootMs: number;
  readonly responseLimitBytes: number;
  readonly logLines: number;
  onLoaded(thread: Thread, loaded: Loaded): void;
  /** It has room for another. */
  onRoom(thread: Thread): void;
  /** An answer was given; `atOnce`: without waiting, in so many microseconds. */
  onAnswer(atOnce: boolean, micros: number): void;
  onOver(task: Task, micros: number): void;
  onLog(line: LogLine): void;
  /** Not begun: others must do it. In the order they came. */
  onReturned(tasks: readonly Task[]): void;
  onEnded(thread: Thread, begun: readonly Task[], end: ThreadEnd): void;
}

/** The process looks itself whether a module loads, and knows what it takes. This is for a thread of which it says nothing more. */
const bootFactor = 4;
/** With so many invocations a thread begins to work while we still read what others ask: with all of a turn it would wait for us, and we for it. */
const handedOverAtOnce = 16;
/** What a thread has not read, of all that it was sent: beyond it the server would keep in its own memory what nobody may want. */
const unreadMib = 64;
/** How often an invocation may come back without having been begun. */
const returnsLimit = 100;
/** Numbers grow and are compared: a thread ends before they would begin anew. */
const numbersLimit = 0x4000_0000;
/** Of each thread. */
export const stackMb = 4;

/** One thread of the functions process, from the server's side. */
export class Thread {
  readonly tasks = new Numbered<Task>();
  /** It has said what it defines, and takes invocations. */
  isReady = false;
  isEnded = false;
  /** Its module was loaded, or could not be. */
  hasLoaded = false;
  /** One of its invocations waits for something: nothing else is to be sent. */
  isWaiting = false;
  /** Nothing new is given to it. */
  isRetired = false;
  /** Performance clock, since when it has nothing to do. */
  idleSinceMs = performance.now();
  /** Performance clock, since when it takes invocations. */
  readySinceMs = 0;
  memoryBytes = 0;
  readonly #needs: ThreadNeeds;
  readonly #id: number;
  readonly #boot: NodeJS.Timeout;
  #socket: Socket | null = null;
  #writer: FrameWriter | null = null;
  #streams: Streams | null = null;
  #asked: Asked | null = null;
  #next = 1;
  #isFlushDue = false;
  /** Invocations written and not handed over. */
  #unflushed = 0;
  #reason: ThreadEnd | null = null;
  readonly #callers = new Callers();
  readonly #lately = new Lately();
  readonly #flushNow = (): void => {
    this.#isFlushDue = false;
    this.#unflushed = 0;
    if (this.#writer?.flush() !== false || this.#socket === null) return;
    const limitBytes = Math.max(unreadMib, this.#needs.memoryMb) * 1_048_576;
    if (this.#socket.writableLength > limitBytes) this.#refuse("It does not read what it is sent.");
  };
  readonly #flush = (): void => {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    setImmediate(this.#flushNow);
  };

  constructor(needs: ThreadNeeds) {
    this.#needs = needs;
    this.#boot = setTimeout(
      () => this.end({ reason: "blocked", message: "It took too long to load." }),
      needs.bootMs * bootFactor,
    );
    this.#id = needs.process.start(
      needs.start,
      { memoryMb: needs.memoryMb, stackMb },
      {
        connected: (socket) => this.#connect(socket),
        memory: (bytes) => {
          this.memoryBytes = Math.max(this.memoryBytes, bytes);
        },
        ended: (report) => this.#onEnd(report),
      },
    );
  }

  get hasWorn(): boolean {
    return this.#next >= numbersLimit;
  }

  send(task: Task): void {
    const number = this.tasks.free(this.#next);
    this.#next = number + 1;
    task.thread = this;
    task.number = number;
    this.tasks.set(number, task);
    const writer = this.#writer!;
    const caller = this.#callers.numberOf(task.invocation.who, writer);
    const body = writeInvocation(writer, task, caller);
    if (body !== null) {
      task.streams = true;
      this.#streams!.send(number, body).catch(() => {});
    }
    if (++this.#unflushed >= handedOverAtOnce) this.#flushNow();
    else this.#flush();
  }

  /** Tells the handler that nobody wants what it does. */
  cancel(task: Task, message: string): void {
    if (this.#writer === null || this.tasks.get(task.number) !== task) return;
    this.#writer.begin(frameKind.cancel, task.number).text(message).end();
    this.#flush();
  }

  /** Cuts off an answer that streams. */
  cut(task: Task, why: Error): void {
    this.#streams?.cut(task.number, why);
  }

  end(reason: ThreadEnd = { reason: "ended", message: null }): void {
    if (this.isEnded) return;
    this.isRetired = true;
    this.#reason ??= reason;
    this.#needs.process.end(this.#id);
  }

  #connect(socket: Socket): void {
    const writer = new FrameWriter(socket);
    const streams = new Streams(writer, this.#flush);
    this.#socket = socket;
    this.#writer = writer;
    this.#streams = streams;
    this.#asked = new Asked(this.#needs, writer, streams, this.#flush);
    const reader = new FrameReader(frameLimitBytes + 1024, (kind, number, bytes, start, end) =>
      this.#take(kind, number, bytes, start, end),
    );
    socket.on("data", (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch (error) {
        // Whatever speaks there is not what we have written.
        this.#refuse(error instanceof Error ? error.message : String(error));
      }
    });
    socket.on("close", () => {
      streams.dropAll(new Error("The function ended while it answered."));
      // Whoever has nothing more to say to us has nothing more to do.
      this.end({ reason: "crashed", message: "It has closed its connection." });
    });
  }

  #refuse(message: string): void {
    this.end({ reason: "crashed", message });
    this.#socket?.destroy();
  }

  #take(kind: number, number: number, bytes: Buffer, start: number, end: number): void {
    switch (kind) {
      case frameKind.answer:
        return this.#onAnswer(number, bytes, start, end);
      case frameKind.over:
        assertBytes(start, end, 4);
        return this.#finish(number, bytes.readUInt32LE(start));
      case frameKind.result:
        assertBytes(start, end, 4);
        return this.#onResult(number, bytes.readUInt32LE(start), bytes.toString("utf8", start + 4, end));
      case frameKind.call:
        assertBytes(start, end, 4);
        return this.#asked!.call(number, this.#invocationOf(bytes, start), bytes.toString("utf8", start + 4, end));
      case frameKind.fetch:
        assertBytes(start, end, 4);
        return this.#asked!.fetch(number, this.#invocationOf(bytes, start), bytes, start + 4, end);
      case frameKind.cancel:
        return this.#streams!.drop(number, new Error("The function does not want it any more."));
      case frameKind.returned:
        return this.#onReturned(bytes, start, end);
      case frameKind.log:
        assertLine(end - start, this.#needs.start.init.limits.logLineBytes);
        return this.#onLog(number, bytes.toString("utf8", start, end));
      case frameKind.loaded:
        return this.#onLoaded(bytes.toString("utf8", start, end));
      case frameKind.crashed:
        return this.#onCrash(bytes.toString("utf8", start, end));
      default:
        if (!this.#streams!.take(kind, number, bytes, start, end))
          throw new NotOurWords(`It has sent a frame ${kind}.`);
    }
  }

  #onLoaded(text: string): void {
    if (this.hasLoaded) throw new NotOurWords("It has loaded twice.");
    const loaded = loadedOf(text);
    this.hasLoaded = true;
    clearTimeout(this.#boot);
    this.#needs.onLoaded(this, loaded);
  }

  #invocationOf(bytes: Buffer, start: number) {
    return this.tasks.get(bytes.readUInt32LE(start))?.invocation;
  }

  #onAnswer(number: number, bytes: Buffer, start: number, end: number): void {
    assertBytes(start, end, 11);
    const task = this.tasks.get(number);
    const flags = bytes[start + 2]!;
    if (task === undefined) return;
    task.assertUnanswered();
    const micros = bytes.readUInt32LE(start + 3);
    const headBytes = bytes.readUInt32LE(start + 7);
    const headEnd = start + 11 + headBytes;
    const status = statusOf(bytes.readUInt16LE(start));
    const headers = headIn(bytes, start + 11, headBytes, end, 0);
    if ((flags & bodyFlag.streams) !== 0) task.streams = true;
    const output: HttpOutput = {
      status,
      headers,
      body:
        (flags & bodyFlag.whole) !== 0
          ? bytes.subarray(headEnd, end)
          : (flags & bodyFlag.streams) !== 0
            ? new LimitedBody(this.#streams!.receive(number), this.#needs.responseLimitBytes)
            : null,
    };
    this.#needs.onAnswer((flags & bodyFlag.atOnce) !== 0, micros);
    if (Buffer.isBuffer(output.body) && output.body.length > this.#needs.responseLimitBytes)
      task.fail(problems.workerLimit(`its answer is longer than ${this.#needs.responseLimitBytes} bytes.`));
    const isGone = task.isSettled;
    task.answer(output);
    if (isGone && output.body !== null && !Buffer.isBuffer(output.body))
      void output.body[Symbol.asyncIterator]().return?.();
    if ((flags & bodyFlag.mark) !== 0) this.#finish(number, micros);
  }

  #onResult(number: number, micros: number, text: string): void {
    const task = this.tasks.get(number);
    if (task === undefined) return;
    task.assertUnanswered();
    const result = resultOf(text);
    this.#needs.onAnswer(false, micros);
    if (result.kind === "threw") task.threw(result.thrown);
    else task.give(result);
  }

  #onReturned(bytes: Buffer, start: number, end: number): void {
    const returned: Task[] = [];
    for (let at = start; at + 4 <= end; at += 4) {
      const number = bytes.readUInt32LE(at);
      const task = this.tasks.get(number);
      if (task === undefined) continue;
      if (++task.returns > returnsLimit) throw new NotOurWords("It begins nothing that it is sent.");
      // Whoever waited has left meanwhile, or has an answer.
      if (task.isSettled) {
        this.#finish(number, 0);
        continue;
      }
      this.tasks.delete(number);
      task.thread = null;
      returned.push(task);
    }
    this.isWaiting = this.tasks.size > 0;
    this.#needs.onReturned(returned);
  }

  /** Whose line it is we know: what the thread says of that is not asked. */
  #onLog(number: number, text: string): void {
    const { invocationId: _, ...line } = logLineOf(text);
    const task = this.tasks.get(number);
    const counted = task ?? this.#lately.find(number);
    // Nobody knows any more what it belongs to.
    if (counted === undefined) return;
    const invocationId = "id" in counted ? counted.id : counted.invocation.id;
    const { logLines } = this.#needs;
    if (++counted.logLines > logLines) {
      if (counted.logLines > logLines + 1) return;
      const message = `More than ${logLines} lines: the rest is dropped.`;
      return this.#log({ invocationId, level: "warn", message, atMs: line.atMs, fields: {} }, task);
    }
    this.#log({ ...line, invocationId }, task);
  }

  #log(line: Omit<LogLine, "functionName" | "causedBy">, task: Task | undefined): void {
    const causedBy = task?.invocation.causedBy;
    const { functionName } = this.#needs.start.module;
    this.#needs.onLog({ ...line, functionName, ...(causedBy === undefined ? {} : { causedBy }) });
  }

  #onCrash(text: string): void {
    const { stack, message } = crashOf(text);
    this.end({ reason: "crashed", message: stack ?? message });
  }

  #finish(number: number, micros: number): void {
    const task = this.tasks.get(number);
    if (task === undefined) return;
    this.tasks.delete(number);
    this.#lately.add(task);
    if (task.streams) this.#streams!.drop(number, new Error("The function is over."));
    if (this.tasks.size === 0) {
      this.isWaiting = false;
      this.idleSinceMs = performance.now();
    }
    this.#needs.onOver(task, micros);
    this.#needs.onRoom(this);
  }

  #onEnd(report: Extract<Report, { kind: "ended" }> | null): void {
    if (this.isEnded) return;
    if (report !== null && report.unsent !== "") this.#readLast(Buffer.from(report.unsent, "base64"));
    this.isEnded = true;
    this.isReady = false;
    clearTimeout(this.#boot);
    this.#writer = null;
    this.#streams?.dropAll(new Error("The function ended while it answered."));
    this.#socket?.destroy();
    const all = this.tasks.values();
    this.tasks.clear();
    // Of a process that has died nobody knows what it had begun.
    const begun = report === null ? all : all.filter((task) => task.number <= report.begun);
    const unbegun = all.filter((task) => !begun.includes(task));
    for (const task of all) task.thread = null;
    const end = this.#endOf(report);
    this.#needs.onEnded(this, begun, end);
    if (unbegun.length > 0) this.#needs.onReturned(unbegun);
  }

  /** What the process has found out says more than what was seen of it here. */
  #endOf(report: Extract<Report, { kind: "ended" }> | null): ThreadEnd {
    if (report === null) return { reason: "process", message: null };
    const { reason, message } = report;
    return reason === "memory" || reason === "blocked" ? { reason, message } : (this.#reason ?? { reason, message });
  }

  /** Answers that were given, and that an invocation after them has kept from leaving. */
  #readLast(bytes: Buffer): void {
    this.isRetired = true;
    try {
      new FrameReader(frameLimitBytes, (...frame) => this.#take(...frame)).push(bytes);
    } catch {}
  }
}

function assertLine(bytes: number, lineBytes: number): void {
  if (bytes > logFrameBytes(lineBytes)) throw new NotOurWords(`It has sent a line of ${bytes} bytes.`);
}
