import type { Call, Reply } from "../../kernel/route.ts";
import type { HttpInput, HttpOutput } from "./types.ts";

/** Of one connection, not of the message (RFC 9110 §7.6.1), and what the platform says itself. */
const hopByHop: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
const saidByUs: ReadonlySet<string> = new Set([...hopByHop, "content-length", "x-request-id", "x-relay-error", "date"]);

/** Longer bodies come as they are sent. */
const wholeBodyBytes = 65_536;

/**
 * What a function gets. Its URL has the function's name as first part of the path, as routers of functions expect it (Supabase guide "Routing"): the
 * mount is the gateway's. The caller's address stands in `x-forwarded-for`, whatever was sent there.
 */
export function inputOf(call: Call, mount: string): HttpInput | Promise<HttpInput> {
  const { headers, method } = call;
  const list: string[] = [];
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined || hopByHop.has(name) || name === "x-forwarded-for" || name === "expect") continue;
    if (typeof value === "string") list.push(name, value);
    else for (const one of value) list.push(name, one);
  }
  list.push("x-forwarded-for", call.address);
  const path = call.path.slice(mount.length);
  const origin = call.origin || "http://localhost";
  const url = call.query === "" ? origin + path : `${origin}${path}?${call.query}`;
  if (method === "GET" || method === "HEAD") return { method, url, headers: list, body: null };
  const body = bodyOf(call);
  return body instanceof Promise
    ? body.then((whole) => ({ method, url, headers: list, body: whole }))
    : { method, url, headers: list, body };
}

/** Small ones whole. What is encoded is the function's to decode, as everything that it is sent. */
function bodyOf(call: Call): HttpInput["body"] | Promise<Buffer | null> {
  const length = call.headers["content-length"];
  if (length === undefined && call.headers["transfer-encoding"] === undefined) return null;
  if (length === "0") return null;
  if (length !== undefined && Number(length) <= wholeBodyBytes && call.headers["content-encoding"] === undefined) {
    return call.body();
  }
  return call.stream();
}

/** What a function has answered, as it may leave. A stream goes out piece by piece as it comes. */
export function replyOf(call: Call, output: HttpOutput, isPrivate: boolean): Reply {
  const headers: string[] = [];
  let lengthBytes: number | undefined;
  let isCacheSaid = false;
  for (let i = 0; i < output.headers.length; i += 2) {
    const name = output.headers[i]!.toLowerCase();
    const value = output.headers[i + 1]!;
    if (name === "content-length") lengthBytes = /^\d{1,15}$/.test(value) ? Number(value) : undefined;
    if (saidByUs.has(name)) continue;
    if (name === "cache-control") isCacheSaid = true;
    headers.push(output.headers[i]!, value);
  }
  if (isPrivate && !isCacheSaid) headers.push("Cache-Control", "private, no-store");
  const { status, body } = output;
  // Only where there is no body to count is its length the function's word.
  if (call.method === "HEAD" && body === null && lengthBytes !== undefined)
    return { status, headers, body, lengthBytes };
  return { status, headers, body };
}
