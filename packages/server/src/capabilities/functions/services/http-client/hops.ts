import { type Guard, OutboundError, type OutboundReply, outboundRequest } from "../../../../platform/outbound/index.ts";
import type { Ask } from "./ask.ts";

/** Most times that one attempt is sent elsewhere. */
const hopsLimit = 5;

/** What every place may know of a request; all else may be a secret between us and the first. */
const forAnyOrigin: ReadonlySet<string> = new Set(["accept", "accept-language", "user-agent"]);

/** Makes one request to one place. */
export type AskPlace = (
  url: URL,
  headers: Readonly<Record<string, string>>,
  timeoutMs: number,
) => Promise<OutboundReply>;

/**
 * One attempt: goes where the answers send it, when it is a GET or HEAD. Each place is asked as if it were the first, and one of another origin gets no
 * header by which somebody could be known. All of them together have `timeoutMs`.
 * @throws OutboundError
 */
export async function followHops(ask: Ask, askPlace: AskPlace): Promise<OutboundReply> {
  const untilMs = performance.now() + ask.timeoutMs;
  let { headers, url } = ask;
  for (let hops = 0; ; hops++) {
    const leftMs = Math.ceil(untilMs - performance.now());
    if (leftMs <= 0) throw new OutboundError("timeout", `no answer within ${ask.timeoutMs} ms`);
    const reply = await askPlace(url, headers, leftMs);
    const next = nextOf(reply, url);
    if (next === null) return reply;
    if (ask.method !== "GET" && ask.method !== "HEAD") {
      throw new OutboundError(
        "redirect",
        `the answer was a redirect (${reply.status}), which ${ask.method} does not follow`,
      );
    }
    if (hops === hopsLimit) throw new OutboundError("redirect", `more than ${hopsLimit} redirects in a row`);
    if (url.protocol === "https:" && next.protocol === "http:") {
      throw new OutboundError("redirect", "the answer was a redirect to a place without encryption");
    }
    if (next.origin !== url.origin) {
      headers = Object.fromEntries(Object.entries(headers).filter(([name]) => forAnyOrigin.has(name)));
    }
    url = next;
  }
}

/** Where an answer sends us; `null` when it does not. @throws OutboundError when that is no place we could go to */
function nextOf({ headers, status }: OutboundReply, from: URL): URL | null {
  if (![301, 302, 303, 307, 308].includes(status)) return null;
  const location = headers.get("location");
  if (location === null) return null;
  const next = URL.canParse(location, from.href) ? new URL(location, from) : null;
  if (next === null || (next.protocol !== "http:" && next.protocol !== "https:")) {
    throw new OutboundError("redirect", "the answer was a redirect to no web address");
  }
  next.username = next.password = next.hash = "";
  return next;
}

/** The request itself, held to the guard (threat X01). */
export const askPlaceWith =
  (guard: Guard, ask: Ask, needs: { readonly maxBytes: number; readonly signal: AbortSignal }): AskPlace =>
  (url, headers, timeoutMs) =>
    outboundRequest(url, {
      method: ask.method,
      headers: { "user-agent": "mainstay-functions", ...headers },
      ...(ask.body === null ? {} : { body: ask.body }),
      timeoutMs,
      maxBytes: needs.maxBytes,
      signal: needs.signal,
      isAllowedAddress: guard.addressesFor(url),
      takesRedirects: true,
    });
