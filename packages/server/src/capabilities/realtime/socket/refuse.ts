import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { Problem } from "../../../kernel/problem.ts";

/** Answers a request to open a websocket with a plain HTTP reply, `{"error": …}`, and hangs up on whoever does not within `patienceMs`. */
export function refuse(socket: Duplex, problem: Problem, patienceMs: number): void {
  const body = JSON.stringify({ error: problem.message });
  const headers = {
    ...problem.headers,
    "Content-Type": "application/json; charset=utf-8",
    "Content-Length": Buffer.byteLength(body),
    "Cache-Control": "no-store",
    Connection: "close",
  };
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.on("error", () => socket.destroy());
  socket.resume(); // unread bytes would turn the end of the reply into a reset
  socket.end(`HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n${head.join("")}\r\n${body}`);
  const timer = setTimeout(() => socket.destroy(), patienceMs).unref();
  socket.once("close", () => clearTimeout(timer));
}
