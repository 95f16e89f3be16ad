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
type Connection = Duplex & { [newest]?: HttpCall; [isBroken]?: boolean };

/** Remembers which request a connection is at, for the moment its bytes stop being HTTP. */
export function connectionIsAt(call: HttpCall): void {
  (call.request.socket as Connection)[newest] = call;
}

/** At most one warning in this time: what it warns of comes in floods. */
const warningEveryMs = 10_000;

/** Answers what is not HTTP, or not in time, and reports connections beyond the limit. */
export function guardConnections(server: Server, observe: Observe): void {
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => refuseBytes(error, socket as Connection));
  let warnedAtMs = Number.NEGATIVE_INFINITY;
  server.on("drop", () => {
    if (performance.now() - warnedAtMs < warningEveryMs) return;
    warnedAtMs = performance.now();
    const message = `More than ${server.maxConnections} connections: new ones are closed (MAINSTAY_CONNECTIONS_LIMIT).`;
    observe({ kind: "warning", area: "http", message });
  });
}

/**
 * The bytes may belong to the body of a request in flight: then that request is refused, in its own shape. While an earlier
 * reply is still due, nothing may be written at all: the caller would take it for that reply.
 */
function refuseBytes(error: NodeJS.ErrnoException, socket: Connection): void {
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
