import { setTimeout as delay } from "node:timers/promises";
import { Problem } from "../../../../kernel/problem.ts";
import type { Turns } from "../../../../kernel/turns.ts";
import { type Guard, OutboundError, type OutboundReply } from "../../../../platform/outbound/index.ts";
import type { Ask } from "./ask.ts";
import type { Breakers } from "./breakers.ts";
import { askPlaceWith, followHops } from "./hops.ts";
import { problemOf } from "./problems.ts";

export interface AttemptNeeds {
  readonly guard: Guard;
  readonly breakers: Breakers;
  readonly turns: Turns;
  readonly limits: {
    readonly answerBytes: number;
    readonly retryFirstMs: number;
    /** Longest wait between two attempts: a service that asks for more is not waited for. */
    readonly retryMaxMs: number;
  };
}

/** Timers end up to a millisecond early, and dates are compared with whole ones: the breaker, which counts finely, would still leave the service alone. */
const roundingMs = 2;

/** Statuses of a service that does not work at the moment, though the request may be good (RFC 9110 §15.6, RFC 6585 §4). */
const failing: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);
export const isFailing = (status: number): boolean => failing.has(status) || status > 504;

/**
 * Asks a service, again where that may help: after growing waits that vary by half, and not before it says (`Retry-After`, RFC 9110 §10.2.3). Any
 * status is an answer; one that is left after the last attempt is given back.
 * @throws Problem of `httpClientProblems`, or the signal's reason
 */
export async function attempt(needs: AttemptNeeds, ask: Ask, signal: AbortSignal): Promise<OutboundReply> {
  const { retryFirstMs, retryMaxMs } = needs.limits;
  for (let done = 0; ; done++) {
    signal.throwIfAborted();
    let reply: OutboundReply | null = null;
    let problem: Problem | null = null;
    try {
      reply = await needs.turns.take(() => askOnce(needs, ask, signal));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      problem = error;
    }
    const isWorth =
      reply === null ? problem!.code === "timeout" || problem!.code === "network" : isFailing(reply.status);
    const ownMs = Math.min(retryMaxMs, retryFirstMs * 2 ** done) * (0.5 + Math.random() / 2);
    const waitMs = Math.max(ownMs, (reply && retryAfterMsOf(reply)) ?? 0);
    if (!isWorth || done >= ask.retries || waitMs > retryMaxMs) {
      if (reply === null) throw problem;
      return reply;
    }
    // Rejects when nobody waits any more, which the next turn says in the signal's own words.
    await delay(Math.ceil(waitMs) + roundingMs, undefined, { signal }).catch(() => {});
  }
}

async function askOnce(
  { breakers, guard, limits }: AttemptNeeds,
  ask: Ask,
  signal: AbortSignal,
): Promise<OutboundReply> {
  const askPlace = askPlaceWith(guard, ask, { maxBytes: limits.answerBytes, signal });
  try {
    return await followHops(ask, (url, headers, timeoutMs) =>
      breakers.ask(url.origin, () => askPlace(url, headers, timeoutMs), {
        answered: (reply) => (isFailing(reply.status) ? { retryAfterMs: retryAfterMsOf(reply) } : "works"),
        isFailure: (error) =>
          error instanceof OutboundError && (error.reason === "timeout" || error.reason === "network"),
      }),
    );
  } catch (error) {
    if (error instanceof OutboundError) throw problemOf(error.reason, `${ask.url.host}: ${error.message}`, error);
    throw error;
  }
}

/** How long the service asks to be left alone: seconds, or a date. `null` when it says nothing that can be read. */
export function retryAfterMsOf({ headers }: OutboundReply, nowMs = Date.now()): number | null {
  const text = headers.get("retry-after")?.trim();
  if (text === undefined || text === "") return null;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
  // As dates of HTTP begin (RFC 9110 §5.6.7); `Date.parse` makes a date of nearly anything.
  const atMs = /^[A-Z][a-z]{2,8}[, ]/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs);
}
