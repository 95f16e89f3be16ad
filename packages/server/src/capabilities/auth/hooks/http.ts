import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { Clock } from "../../../kernel/clock.ts";
import {
  OutboundError,
  type OutboundReply,
  outboundRequest,
  webhookHeaders,
} from "../../../platform/outbound/index.ts";
import { hookProblems } from "./problems.ts";
import type { HookTarget } from "./target.ts";

/** What supabase/auth gives a hook: for all attempts together, and in both directions. */
const timeoutMs = 5_000;
const maxAttempts = 3;
const maxBytes = 200 * 1024;
/** Before an attempt that no `Retry-After` gives a time for. */
const pauseMs = 250;

/**
 * Asks a hook over HTTP, signed as Standard Webhooks has it. Attempts of one call have the same `webhook-id`, by which a hook tells a
 * repetition. @returns the answer's JSON text; `""` for 204
 * @throws Problem of `hookProblems`
 */
export async function askOverHttp(
  name: string,
  target: Extract<HookTarget, { kind: "http" }>,
  payload: string,
  clock: Clock,
): Promise<string> {
  if (Buffer.byteLength(payload) > maxBytes) throw hookProblems.payloadTooLarge(name, maxBytes);
  const id = randomUUID();
  const endsMs = performance.now() + timeoutMs;
  for (let attempt = 1; ; attempt++) {
    const leftMs = Math.floor(endsMs - performance.now());
    if (leftMs <= 0) throw hookProblems.timeout(name, timeoutMs);
    const outcome = await send(target, id, payload, clock, leftMs);
    const waitMs = retryAfterMs(name, outcome, clock);
    if (waitMs === null) return textOf(name, outcome as OutboundReply);
    if (attempt === maxAttempts || performance.now() + waitMs >= endsMs) {
      throw outcome instanceof OutboundError
        ? hookProblems.timeoutAfterRetry(name, outcome)
        : hookProblems.unavailable(name);
    }
    await pause(waitMs);
  }
}

async function send(
  { url, keys }: Extract<HookTarget, { kind: "http" }>,
  id: string,
  payload: string,
  clock: Clock,
  leftMs: number,
): Promise<OutboundReply | OutboundError> {
  const signed = webhookHeaders({ id, nowMs: clock.nowMs(), body: payload, keys });
  try {
    return await outboundRequest(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...signed },
      body: payload,
      timeoutMs: leftMs,
      maxBytes,
      isRepeatable: true,
    });
  } catch (error) {
    if (error instanceof OutboundError) return error;
    throw error;
  }
}

/** How long to wait before another attempt; `null` for an answer to be read. @throws Problem for what another attempt does not mend */
function retryAfterMs(name: string, outcome: OutboundReply | OutboundError, clock: Clock): number | null {
  if (outcome instanceof OutboundError) {
    switch (outcome.reason) {
      case "timeout":
        throw hookProblems.timeout(name, timeoutMs);
      case "too-large":
        throw hookProblems.payloadTooLarge(name, maxBytes);
      case "redirect":
      case "address":
        throw hookProblems.failed(name, "Unexpected redirect returned from hook", outcome);
      case "network":
        return pauseMs;
    }
  }
  if (outcome.status !== 429 && outcome.status !== 503) return null;
  const header = outcome.headers.get("retry-after");
  // Without one the hook does not ask to be asked again (Supabase docs, Auth Hooks, HTTP).
  if (header === null) throw hookProblems.unavailable(name);
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? pauseMs : Math.max(0, at - clock.nowMs());
}

function textOf(name: string, { status, headers, body }: OutboundReply): string {
  switch (status) {
    case 200:
    case 202:
    case 204: {
      const type = headers.get("content-type") ?? "";
      if (type === "" && status === 204) return "";
      if (type.split(";")[0]!.trim().toLowerCase() !== "application/json") {
        throw hookProblems.invalidContentType(name, type.slice(0, 100));
      }
      return body.toString("utf8");
    }
    case 400:
      throw hookProblems.failed(name, "Invalid payload sent to hook");
    case 401:
      throw hookProblems.failed(name, "Hook requires authorization token");
    default:
      throw hookProblems.failed(name, `Unexpected status code returned from hook: ${status}`);
  }
}
