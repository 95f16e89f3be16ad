import { OutboundError, type OutboundReply, outboundRequest } from "../../platform/outbound/index.ts";
import { DeliveryError } from "../../platform/outbox/index.ts";

/** One request to whoever sends text messages. */
export interface SmsRequest {
  /** Who is asked, for messages: `Twilio`. */
  readonly name: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface SmsReply {
  readonly status: number;
  /** `null` when it is no JSON. */
  readonly json: unknown;
}

/** Answers have a few hundred bytes. */
const maxBytes = 65_536;
/** Nobody is left alone for longer because they ask for it. */
const retryAfterMaxSeconds = 3_600;

/**
 * Asks once. What comes back is an answer about the message or the account; what says nothing but "not now" is thrown.
 * @throws DeliveryError, not final: out of reach, too slow, busy, out of order
 */
export async function callSmsApi({ name, url, headers, body, timeoutMs, signal }: SmsRequest): Promise<SmsReply> {
  let reply: OutboundReply;
  try {
    const request = {
      method: "POST",
      headers: { Accept: "application/json", ...headers },
      body,
      timeoutMs,
      maxBytes,
    } as const;
    reply = await outboundRequest(url, signal === undefined ? request : { ...request, signal });
  } catch (cause) {
    if (!(cause instanceof OutboundError)) throw cause;
    throw new DeliveryError(`${name}: ${cause.message}`, { cause, isProviderDown: true });
  }
  if (reply.status === 429 || reply.status >= 500) {
    const retryAfterSeconds = retryAfterOf(reply.headers);
    throw new DeliveryError(`${name} answered ${reply.status}`, {
      isProviderDown: true,
      ...(retryAfterSeconds === null ? {} : { retryAfterSeconds }),
    });
  }
  return { status: reply.status, json: jsonOf(reply.body) };
}

/** An answer that makes no sense: something other than the API has answered. */
export const senseless = (name: string, status: number): DeliveryError =>
  new DeliveryError(`${name} answered ${status} and nothing to make sense of`, { isProviderDown: true });

/** The message will never go. `code` is the other side's own; its words are left out, since they repeat what was sent. */
export const refused = (name: string, code: string | number): DeliveryError =>
  new DeliveryError(`${name} refuses the message (${code})`, { isFinal: true });

/** Our account there is not in order: no message goes until somebody sees to it. */
export const accountTrouble = (name: string, code: string | number): DeliveryError =>
  new DeliveryError(`${name} refuses the account or its settings (${code})`, { isProviderDown: true });

/** @throws DeliveryError for WhatsApp, where there is only SMS */
export function assertSms(name: string, channel: "sms" | "whatsapp"): void {
  if (channel !== "sms") throw new DeliveryError(`${name} sends no ${channel} messages`, { isFinal: true });
}

export const formHeaders = { "Content-Type": "application/x-www-form-urlencoded" } as const;

/** Whether every phone's basic alphabet has all of it. */
export const isAscii = (text: string): boolean => /^[\x20-\x7e\n\r]*$/.test(text);

/** A field of an object that may be none. */
export function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;
}

/** What an API calls something: a text, or a number as one. */
export const idOf = (value: unknown): string | null =>
  typeof value === "string" && value !== "" ? value : typeof value === "number" ? String(value) : null;

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return null;
  }
}

/** RFC 9110 §10.2.3: seconds, or a date. */
function retryAfterOf(headers: Headers): number | null {
  const value = headers.get("retry-after")?.trim() ?? "";
  const seconds = /^\d{1,9}$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? null : Math.min(retryAfterMaxSeconds, Math.max(0, Math.ceil(seconds)));
}
