import type { Reply, ReplyBody } from "../../kernel/route.ts";
import type { HttpCall } from "./call.ts";

/** Writes the status line and headers to Node's buffer. Throws when a value may not stand in a header (threat S05). */
export function writeHead(call: HttpCall, reply: Reply, headers: string[]): void {
  if (reply.statusText === undefined) call.response.writeHead(reply.status, headers);
  else call.response.writeHead(reply.status, reply.statusText, headers);
}

/** The reply's headers with those of the platform and of its connection, in a list of our own. */
export function headersOf(call: HttpCall, reply: Reply, isLast: boolean): string[] {
  const headers = ownHeadersOf(call, reply);
  // Two answers to who may read it are none: browsers refuse both.
  if (call.corsHeaders !== null && !has(reply.headers, "access-control-allow-origin"))
    headers.push(...call.corsHeaders);
  if (isLast || call.isConnectionBroken || call.isLastOfConnection || call.platform.isDraining)
    headers.push("Connection", "close");
  return headers;
}

/**
 * The reply's headers with those that every reply has, in a list of our own: the reply's may be shared.
 *
 * Threat X06: a reply that may depend on who asked says `private, no-store` unless the route says something else. RFC 9111
 * §3.5 keeps shared caches off requests with `Authorization` anyway; an identity can also come as `apikey`, in a header or
 * in the URL, and no cache knows that. PostgREST says nothing here, and no client of it looks.
 */
export function ownHeadersOf(call: { readonly id: string; readonly isPrivate: boolean }, reply: Reply): string[] {
  const headers = reply.headers.slice();
  if ((call.isPrivate || has(reply.headers, "set-cookie")) && !has(reply.headers, "cache-control")) {
    headers.push("Cache-Control", "private, no-store");
  }
  headers.push("X-Request-Id", call.id);
  return headers;
}

/** Lets go of the request and reports its reply. */
export function finish(call: HttpCall, status: number): void {
  call.release();
  if (!call.platform.isWatched) return;
  call.platform.observe({
    kind: "request.finished",
    id: call.id,
    method: call.method,
    path: call.path,
    status,
    durationMs: performance.now() - call.startedAtMs,
    role: call.knownRole,
  });
}

/** True for a status whose reply has no body by definition (RFC 9110 §6.4.1). */
export const isBodyless = (status: number) => status === 204 || status === 304;

export function isStream(body: ReplyBody): body is AsyncIterable<Uint8Array | string> {
  return body !== null && typeof body !== "string" && !Buffer.isBuffer(body);
}

function has(headers: readonly string[], name: string): boolean {
  for (let i = 0; i < headers.length; i += 2) {
    const candidate = headers[i]!;
    if (candidate.length === name.length && candidate.toLowerCase() === name) return true;
  }
  return false;
}
