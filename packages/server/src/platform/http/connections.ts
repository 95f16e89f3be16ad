import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Problem } from "../../kernel/problem.ts";
import type { Observe } from "../observe/observation.ts";
import { problemJson } from "./boundary.ts";
import type { HttpCall } from "./call.ts";
import { problems } from "./problems.ts";

/** The newest request of a connection, kept on its socket: a map would cost a look-up per request. */
const newest = Symbol("newest call");
const isBroken = Symbol("refused as not HTTP");
const count = Symbol("requests so far");
type Connection = Duplex & { [newest]?: HttpCall; [isBroken]?: boolean; [count]?: number };

/**
 * Remembers which request a connection is at, for the moment its bytes stop being HTTP. True when it is the last one the
 * connection may carry; `limit` 0 is none. Node's own `maxRequestsPerSocket` announces the end but leaves the closing to the client.
 */
export function connectionIsAt(call: HttpCall, limit: number): boolean {
  const connection: Connection = call.request.socket;
  connection[newest] = call;
  if (limit === 0) return false;
  connection[count] = (connection[count] ?? 0) + 1;
  return connection[count] >= limit;
}

/** At most one warning in this time: what it warns of comes in floods. */
const warningEveryMs = 10_000;

/** Reports connections beyond the limit, which Node closes by itself. */
export function reportDropped(server: Server, observe: Observe): void {
  let warnedAtMs = Number.NEGATIVE_INFINITY;
  server.on("drop", () => {
    if (performance.now() - warnedAtMs < warningEveryMs) return;
    warnedAtMs = performance.now();
    const message = `More than ${server.maxConnections} connections: new ones are closed (MAINSTAY_CONNECTIONS_LIMIT).`;
    observe({ kind: "warning", area: "http", message });
  });
}

/**
 * Answers what is not HTTP, or not in time. The bytes may belong to the body of a request in flight: then that request is refused, in its own shape. While an earlier
 * reply is still due, nothing may be written at all: the caller would take it for that reply.
 */
export function refuseBytes(error: NodeJS.ErrnoException, socket: Connection): void {
  if (socket[isBroken] === true) return;
  socket[isBroken] = true;
  const call = socket[newest];
  if (error.code === "ECONNRESET" || !socket.writable) socket.destroy();
  else if (call === undefined || call.response.writableFinished)
    socket.end(bytesOf(problemOf(error)), () => hangUp(socket));
  else if (call.isReplying || call.request.complete) socket.destroy();
  else call.breakOff(problemOf(error));
}

/** Whoever goes on sending after a refusal is not waited for. */
function hangUp(socket: Connection): void {
  const timer = setTimeout(() => socket.destroy(), 1000).unref();
  (socket as unknown as Socket).once("close", () => clearTimeout(timer));
}

function problemOf(error: NodeJS.ErrnoException): Problem {
  switch (error.code) {
    case "HPE_HEADER_OVERFLOW":
      return problems.headersTooLarge();
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return problems.tooSlow();
    case "HPE_INVALID_EOF_STATE":
      return problems.bodyIncomplete();
    default:
      return problems.malformedRequest(error);
  }
}

/** A reply written without Node's help: there is no request to reply to. */
function bytesOf(problem: Problem): string {
  const { status, headers, body } = problemJson.render(problem, null);
  const lines = [`HTTP/1.1 ${status} ${reasons[status] ?? ""}`];
  for (let i = 0; i < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`);
  lines.push(`Content-Length: ${Buffer.byteLength(body as string)}`, `Date: ${new Date().toUTCString()}`);
  return `${lines.join("\r\n")}\r\nConnection: close\r\n\r\n${body as string}`; // problem+json is always text
}

const reasons: Readonly<Record<number, string>> = {
  400: "Bad Request",
  408: "Request Timeout",
  431: "Request Header Fields Too Large",
};
