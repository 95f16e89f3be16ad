import type { IncomingHttpHeaders } from "node:http";

/** What a client can compare its copy with. */
export interface Validators {
  /** With its quotes; `W/` in front where it is weak. */
  readonly etag: string;
  /** Unix milliseconds. On the wire it is whole seconds. */
  readonly lastModifiedMs: number;
}

const entityTag = /(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g;
const opaque = (etag: string): string => (etag.startsWith("W/") ? etag.slice(2) : etag);

/** RFC 9110 §8.8.3.2: two copies of the same meaning, or of the same bytes. */
const isWeaklyEqual = (one: string, other: string): boolean => opaque(one) === opaque(other);
const isStronglyEqual = (one: string, other: string): boolean => one === other && !one.startsWith("W/");

/** A date in whole seconds; `null` for what is none, and then counts as not sent (RFC 9110 §13.1.3). */
function dateOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? null : ms;
}
const wholeSeconds = (ms: number): number => Math.floor(ms / 1000) * 1000;

function isListed(list: string, etag: string, isEqual: (one: string, other: string) => boolean): boolean {
  if (list.trim() === "*") return true;
  return (list.match(entityTag) ?? []).some((candidate) => isEqual(candidate, etag));
}

/** What the conditions of a request leave to do: send it, say that the copy is good (304), or that the condition fails (412). */
export type Condition = "send" | "not-modified" | "failed";

/** Conditional GET and HEAD, in the order of RFC 9110 §13.2.2. */
export function conditionOf(headers: IncomingHttpHeaders, { etag, lastModifiedMs }: Validators): Condition {
  const modifiedMs = wholeSeconds(lastModifiedMs);
  const ifMatch = headers["if-match"];
  if (ifMatch !== undefined) {
    if (!isListed(ifMatch, etag, isStronglyEqual)) return "failed";
  } else {
    const sinceMs = dateOf(headers["if-unmodified-since"]);
    if (sinceMs !== null && modifiedMs > sinceMs) return "failed";
  }
  const ifNoneMatch = headers["if-none-match"];
  if (ifNoneMatch !== undefined) return isListed(ifNoneMatch, etag, isWeaklyEqual) ? "not-modified" : "send";
  const sinceMs = dateOf(headers["if-modified-since"]);
  return sinceMs !== null && modifiedMs <= sinceMs ? "not-modified" : "send";
}

/** Whether the client's part is of this very copy, so that a range of it is of use (RFC 9110 §13.1.5). */
export function isRangeOfThis(headers: IncomingHttpHeaders, { etag, lastModifiedMs }: Validators): boolean {
  const ifRange = headers["if-range"] as string | undefined;
  if (ifRange === undefined) return true;
  const text = ifRange.trim();
  if (text.endsWith('"')) return isStronglyEqual(text, etag);
  return dateOf(text) === wholeSeconds(lastModifiedMs);
}
