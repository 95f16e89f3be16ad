import type { OutboundReply } from "../../../../platform/outbound/index.ts";
import { type Ask, hasCredentials } from "./ask.ts";

/** An answer of a service as it is kept. Never changed. */
export interface Kept {
  readonly status: number;
  /** Flat: name, value, name, value … */
  readonly headers: readonly string[];
  readonly body: Buffer;
  /** When the service gave it, by this process's monotonic clock (`performance.now()`). */
  readonly givenAtMs: number;
}

export const ageMsOf = ({ givenAtMs }: Kept): number => performance.now() - givenAtMs;

export const sizeOf = ({ body, headers }: Pick<Kept, "body" | "headers">): number =>
  headers.reduce((sum, text) => sum + text.length, body.length + 64);

/** What says nothing about the answer itself. */
const ofTheWay: ReadonlySet<string> = new Set(["connection", "keep-alive", "transfer-encoding", "trailer", "upgrade"]);

export function keptOf({ body, headers, status }: OutboundReply): Kept {
  const flat: string[] = [];
  for (const [name, value] of headers) if (!ofTheWay.has(name)) flat.push(name, value);
  return { status, headers: flat, body, givenAtMs: performance.now() };
}

/** The answer the service has said is still good (RFC 9111 §4.3.4): its headers with those that came now. */
export function refreshed(kept: Kept, reply: OutboundReply): Kept {
  const { headers, givenAtMs } = keptOf(reply);
  const isNew = new Set(headers.filter((_, at) => at % 2 === 0));
  isNew.delete("content-length");
  const merged: string[] = [];
  const add = (from: readonly string[], takes: (name: string) => boolean) => {
    for (let at = 0; at + 1 < from.length; at += 2) if (takes(from[at]!)) merged.push(from[at]!, from[at + 1]!);
  };
  add(kept.headers, (name) => !isNew.has(name));
  add(headers, (name) => isNew.has(name));
  return { ...kept, headers: merged, givenAtMs };
}

export function headerOf({ headers }: Pick<Kept, "headers">, wanted: string): string | null {
  for (let at = 0; at + 1 < headers.length; at += 2) if (headers[at] === wanted) return headers[at + 1]!;
  return null;
}

/** Where an answer may be kept: for all nodes, in this one's memory, or nowhere. */
export function placeFor(ask: Ask, kept: Kept, maxBytes: number): "shared" | "memory" | null {
  if (![200, 203, 204].includes(kept.status) || sizeOf(kept) > maxBytes) return null;
  const control = headerOf(kept, "cache-control")?.toLowerCase() ?? "";
  if (/(?:^|[\s,])no-store(?:$|[\s,])/.test(control)) return null;
  // Meant for one asker, whatever our headers say.
  if (headerOf(kept, "set-cookie") !== null || headerOf(kept, "vary")?.includes("*")) return null;
  return hasCredentials(ask) || /(?:^|[\s,])private(?:$|[\s,=])/.test(control) ? "memory" : "shared";
}

/** Asks whether what is known is still good, unless the author asks that himself. */
export function conditionsFor(ask: Ask, kept: Kept | null): Readonly<Record<string, string>> {
  if (kept === null || ask.headers["if-none-match"] !== undefined || ask.headers["if-modified-since"] !== undefined)
    return {};
  const tag = headerOf(kept, "etag");
  const changed = headerOf(kept, "last-modified");
  return {
    ...(tag === null ? {} : { "if-none-match": tag }),
    ...(changed === null ? {} : { "if-modified-since": changed }),
  };
}
