import type { ServerResponse } from "node:http";
import type { Reply } from "../../kernel/route.ts";
import type { HttpCall } from "./call.ts";
import { finish, headersOf, writeHead } from "./head.ts";
import { dropRest, isBodyPending, linger } from "./linger.ts";

type Chunks = AsyncIterable<Uint8Array | string>;
type Step = IteratorResult<Uint8Array | string>;

/**
 * Sends chunks as the reader takes them. The first is awaited before the status line, so that a failure until then is still
 * an error reply; after it a failure can only cut the connection, which tells the reader that the rest is missing. When the
 * caller leaves, the source is told through `return()`. The request's deadline holds until the first chunk; from there on
 * only a reader who takes nothing for `replyStallMs` ends it, for a large file over a slow line is no fault. Where the reply says how
 * long it is, the source is held to it: a frame that is wrong would make the end of one reply the beginning of the next.
 */
export async function sendStream(call: HttpCall, reply: Reply, body: Chunks): Promise<void> {
  const { response } = call;
  const source = new Source(body, () => call.abort());
  response.once("close", () => response.writableFinished || source.leave());
  if (response.destroyed) source.leave();
  let isOpen = false;
  let sentBytes = 0;
  try {
    let step = await source.next();
    sentBytes = countOn(sentBytes, step, reply.lengthBytes);
    if (call.isReplying) return source.leave(); // the deadline answered meanwhile
    if (!source.isLeft) {
      open(call, reply, step.done === true);
      isOpen = true;
    }
    if (call.method === "HEAD") source.leave();
    while (step.done !== true && !source.isLeft) {
      if (!response.write(step.value) && !(await isDrained(response, call.platform.replyStallMs))) break;
      step = await source.next();
      sentBytes = countOn(sentBytes, step, reply.lengthBytes);
    }
    if (step.done !== true) source.leave();
    end(call);
  } catch (error) {
    if (isOpen) cut(call, source, error);
    else if (call.isReplying) return;
    else if (!source.isLeft) return call.refuse(call, error);
  }
  call.isReplying = true;
  finish(call, reply.status);
}

/** The reply's bytes with the next step. @throws when they are not as many as it said */
function countOn(sentBytes: number, step: Step, lengthBytes: number | undefined): number {
  if (lengthBytes === undefined) return 0;
  if (step.done === true) {
    if (sentBytes < lengthBytes) throw new Error(`A reply of ${lengthBytes} bytes ended after ${sentBytes}.`);
    return sentBytes;
  }
  const sum = sentBytes + (typeof step.value === "string" ? Buffer.byteLength(step.value) : step.value.length);
  if (sum > lengthBytes) throw new Error(`A reply of ${lengthBytes} bytes went on after them.`);
  return sum;
}

/** Ends the reply, and takes leave of a request that is still being sent. */
function end(call: HttpCall): void {
  call.leaveBody();
  if (isBodyPending(call)) return linger(call);
  call.response.end();
  if (call.expectedBytes !== 0 && !call.request.complete) dropRest(call);
  watchReader(call);
}

/** A reader who takes nothing for too long is disconnected (threat X07). Node's socket timeout knows partial progress. */
export function watchReader(call: HttpCall): void {
  const { socket } = call.response;
  if (socket !== null && socket.writableLength > 0) socket.setTimeout(call.platform.replyStallMs);
}

/** Breaks the connection off, so that nobody takes a part for the whole. A source that fails because the caller left is no failure. */
function cut(call: HttpCall, source: Source, error: unknown): void {
  if (!source.isLeft) call.platform.observe({ kind: "request.failed", id: call.id, error });
  source.leave();
  call.response.destroy();
}

/** Ends a stream nobody will read. Its own complaint about that is of no interest. */
export function discard(body: Chunks): void {
  new Source(body, () => {}).leave();
}

/** An iterator that is told once when nobody wants more. */
class Source {
  isLeft = false;
  readonly #iterator: AsyncIterator<Uint8Array | string>;
  readonly #onLeave: () => void;

  constructor(chunks: Chunks, onLeave: () => void) {
    this.#iterator = chunks[Symbol.asyncIterator]();
    this.#onLeave = onLeave;
  }

  next(): Promise<Step> {
    return this.#iterator.next();
  }

  /** A generator suspended in an await runs its `return()` only after it: hence `onLeave`, for those who hold the signal. */
  leave(): void {
    if (this.isLeft) return;
    this.isLeft = true;
    this.#onLeave();
    this.#iterator.return?.().catch(() => {});
  }
}

/** Writes the head; an empty stream has a length after all. */
function open(call: HttpCall, reply: Reply, isEmpty: boolean): void {
  const headers = headersOf(call, reply, !call.isReceivingBody && isBodyPending(call));
  const lengthBytes = reply.lengthBytes ?? (isEmpty && call.method !== "HEAD" ? 0 : undefined);
  if (lengthBytes !== undefined) headers.push("Content-Length", String(lengthBytes));
  writeHead(call, reply, headers);
  call.isReplying = true;
}

/** True once the reader has taken what waited; false when it left, or took nothing for so long that Node cut it off. */
function isDrained(response: ServerResponse, stallMs: number): Promise<boolean> {
  const { socket } = response;
  if (response.destroyed || socket === null) return Promise.resolve(false);
  return new Promise((resolve) => {
    socket.setTimeout(stallMs);
    const settle = (isTaken: boolean) => {
      response.off("drain", onDrain).off("close", onClose);
      socket.setTimeout(0);
      resolve(isTaken);
    };
    const onDrain = () => settle(true);
    const onClose = () => settle(false);
    response.on("drain", onDrain).on("close", onClose);
  });
}
