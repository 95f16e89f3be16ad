import type { HttpCall } from "./call.ts";

/** An unread body up to here is left to Node, which reads and drops it so that the connection can go on. */
const droppableBytes = 65_536;
/** After an early reply so much more is read, and for so long, before the connection is closed. */
const lingerBytes = 1_048_576;
const lingerMs = 1000;

/**
 * True when a large body, or one of unknown size, has not been read. The connection then ends with this reply: reading a
 * gigabyte only to keep the connection would let a refused caller go on costing us.
 */
export function isBodyPending({ expectedBytes, request, isConnectionBroken, isAwaitingContinue }: HttpCall): boolean {
  if (expectedBytes === 0 || request.complete || isConnectionBroken) return false;
  return expectedBytes === -1 || expectedBytes > droppableBytes || isAwaitingContinue;
}

/**
 * Reads on for a little while after the whole reply was written, then closes. Closing a socket with unread data makes the
 * kernel reset it, and the reset overtakes the reply: the caller would never learn why (RFC 9112 §9.6).
 */
export function linger({ request, response, isAwaitingContinue }: HttpCall): void {
  // The head may have promised that the connection goes on: the rest of the body was not given up yet.
  const end = (): void => {
    response.end(() => request.socket.destroySoon());
  };
  if (isAwaitingContinue) return end(); // it sends nothing before it was told to
  let leftBytes = lingerBytes;
  const done = () => {
    clearTimeout(timer);
    request.off("data", onData).off("end", done).off("close", done);
    end();
  };
  const onData = (chunk: Buffer) => {
    leftBytes -= chunk.length;
    if (leftBytes < 0) done();
  };
  const timer = setTimeout(done, lingerMs);
  request
    .on("error", () => {})
    .on("data", onData)
    .on("end", done)
    .on("close", done);
  request.resume();
}

/**
 * Lets the small rest of a body come and go, so that the connection can carry the next request. It has one window of `bodyStallMs`:
 * nobody is left who would look at its pace.
 */
export function dropRest({ request, platform }: HttpCall): void {
  const timer = setTimeout(() => request.socket.destroy(), platform.bodyStallMs).unref();
  const done = () => clearTimeout(timer);
  request
    .on("error", () => {})
    .on("end", done)
    .on("close", done);
  request.resume();
}
