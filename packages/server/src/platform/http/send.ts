import type { Reply } from "../../kernel/route.ts";
import { problemJson } from "./boundary.ts";
import type { HttpCall } from "./call.ts";
import { finish, headersOf, isBodyless, isStream, writeHead } from "./head.ts";
import { dropRest, isBodyPending, linger } from "./linger.ts";
import { problems } from "./problems.ts";
import { discard, sendStream, watchReader } from "./stream.ts";

/**
 * Up to here bytes are written as one string with the head: one write to the socket instead of two. Above, copying them twice costs more than
 * that: 19 µs of CPU for 8 KB as a string, 16.5 as they are; at 4 KB both take 17, at 1 KB the string half a microsecond less.
 */
const oneWriteBytes = 4096;

/** Hands a reply to the socket. When the request has been answered already (deadline, broken connection) it only cleans up. */
export function send(call: HttpCall, reply: Reply): void {
  const { body } = reply;
  if (isStream(body)) {
    if (call.isReplying) discard(body);
    else if (isLengthEnough(call, reply)) {
      discard(body);
      send(call, { ...reply, body: null });
    } else void sendStream(call, reply, body);
  } else if (!call.isReplying) {
    try {
      sendWhole(call, reply, body);
    } catch (error) {
      sendUnwritable(call, error);
    }
  }
}

/** True when a stream has nothing to add to the reply's head. */
const isLengthEnough = (call: HttpCall, reply: Reply): boolean =>
  isBodyless(reply.status) || (call.method === "HEAD" && reply.lengthBytes !== undefined);

function sendWhole(call: HttpCall, reply: Reply, body: string | Buffer | null): void {
  const { response } = call;
  call.leaveBody();
  const isLingering = isBodyPending(call);
  const headers = headersOf(call, reply, isLingering);
  const isText = typeof body === "string";
  const isHead = call.method === "HEAD";
  const sizeBytes = body === null ? (isHead && reply.lengthBytes) || 0 : isText ? Buffer.byteLength(body) : body.length;
  // 204 and 304 must not name a length; a reply to HEAD that does not know it may leave it out (RFC 9110 §8.6).
  if (!isBodyless(reply.status) && (body !== null || !isHead || reply.lengthBytes !== undefined)) {
    headers.push("Content-Length", String(sizeBytes));
  }
  writeHead(call, reply, headers);
  call.isReplying = true;
  const isSilent = sizeBytes === 0 || isBodyless(reply.status) || isHead;
  // Text with one byte per character is ASCII, and latin1 spares the UTF-8 encoder.
  const encoding = isText && sizeBytes !== body.length ? "utf8" : "latin1";
  const bytes = isSilent ? null : isText || sizeBytes > oneWriteBytes ? body! : body!.toString("latin1");
  if (isLingering) {
    if (bytes === null) response.flushHeaders();
    else response.write(bytes, encoding);
    linger(call);
  } else {
    if (bytes === null) response.end();
    else response.end(bytes, encoding);
    if (call.expectedBytes !== 0 && !call.request.complete) dropRest(call);
    watchReader(call);
  }
  finish(call, reply.status);
}

/** Node refused to write the head: our bug, or an app's header with a line break. Nothing has left yet, so it can be said. */
function sendUnwritable(call: HttpCall, error: unknown): void {
  call.platform.observe({ kind: "request.failed", id: call.id, error });
  call.response.statusMessage = "";
  const reply = problemJson.render(problems.internal(error), call);
  sendWhole(call, reply, reply.body as string); // problem+json is always text
}
