import { randomBytes } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/** What a stranger may choose as id: what id generators produce. Nothing that means anything to a log or a header. */
const strangers = /^[A-Za-z0-9_-]{16,64}$/;
/** What our own proxy may choose: any visible ASCII. */
const ours = /^[\x21-\x7e]{1,128}$/;

/**
 * Unique per process by a random prefix, and counted within it: no random bytes per request, and ids sort by arrival.
 */
export function requestIds(): () => string {
  const prefix = `${randomBytes(6).toString("base64url")}-`;
  let count = 0;
  return () => prefix + (++count).toString(36);
}

/** The `X-Request-Id` that was sent, when its shape is believed. `null` otherwise. */
export function sentRequestId(headers: IncomingHttpHeaders, isFromProxy: () => boolean): string | null {
  const sent = headers["x-request-id"];
  if (typeof sent !== "string") return null;
  return strangers.test(sent) || (ours.test(sent) && isFromProxy()) ? sent : null;
}
