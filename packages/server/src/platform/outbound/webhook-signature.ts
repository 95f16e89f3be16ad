import { createHmac, timingSafeEqual } from "node:crypto";
import { SettingError } from "../../kernel/settings.ts";

/** The three headers of a signed message (Standard Webhooks, Webhook Headers). */
export interface WebhookHeaders {
  readonly "webhook-id": string;
  readonly "webhook-timestamp": string;
  readonly "webhook-signature": string;
}

/** How far a message's time may be from ours, in seconds: what Standard Webhooks' libraries allow. */
const defaultToleranceSeconds = 300;

/**
 * The keys in a setting: `v1,whsec_<base64>`, several divided by `|` while they are being changed. The scheme's version, which
 * Supabase writes before a secret, may be left out.
 * @throws SettingError naming the setting when there is none, or one has not 24 to 64 bytes (Standard Webhooks, Signature scheme)
 */
export function webhookKeys(setting: string, secrets: string): readonly Buffer[] {
  const given = secrets.split("|").map((secret) => secret.trim());
  // Whoever writes `$NEW|$OLD` may have no old one.
  const named = given.filter((secret) => secret !== "");
  return (named.length === 0 ? [""] : named).map((secret) => {
    const encoded = /^(?:v1,)?whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret)?.[1] ?? "";
    const key = Buffer.from(encoded, "base64");
    if (key.length < 24 || key.length > 64) {
      throw new SettingError(
        `${setting} must be of the form v1,whsec_<base64 of 24 to 64 bytes>, several divided by "|".`,
      );
    }
    return key;
  });
}

/**
 * Signs a message, with every key: the receiver takes whichever signature fits, so that old and new secret hold while they are
 * being changed. @param id the same at every attempt, by which the receiver knows a repetition
 * @param body as it is sent, to the byte
 */
export function webhookHeaders(message: {
  readonly id: string;
  readonly nowMs: number;
  readonly body: string;
  readonly keys: readonly Buffer[];
}): WebhookHeaders {
  const { id, body, keys } = message;
  const timestamp = String(Math.floor(message.nowMs / 1_000));
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": keys.map((key) => `v1,${signatureOf(key, id, timestamp, body).toString("base64")}`).join(" "),
  };
}

/**
 * Whether a message is from somebody who has one of `keys`, and of now. Whoever takes messages remembers their ids for as long,
 * when a second copy matters.
 * @param headers by their names in lower case; of a repeated one the first counts
 */
export function isSignedWebhook(message: {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string | Buffer;
  readonly keys: readonly Buffer[];
  readonly nowMs: number;
  /** How far its time may be from ours; 300 when left out. */
  readonly toleranceSeconds?: number;
}): boolean {
  const { toleranceSeconds = defaultToleranceSeconds } = message;
  const header = (name: keyof WebhookHeaders): string => {
    const value = message.headers[name];
    return (typeof value === "string" ? value : value?.[0]) ?? "";
  };
  const [id, timestamp] = [header("webhook-id"), header("webhook-timestamp")];
  // A dot in the id would move what is signed from one field to the next.
  if (id === "" || id.includes(".") || !/^\d{1,12}$/.test(timestamp)) return false;
  if (Math.abs(message.nowMs / 1_000 - Number(timestamp)) > toleranceSeconds) return false;
  const given = header("webhook-signature")
    .split(" ")
    .filter((entry) => entry.startsWith("v1,"))
    .map((entry) => Buffer.from(entry.slice("v1,".length), "base64"));
  const expected = message.keys.map((key) => signatureOf(key, id, timestamp, message.body));
  return expected.some((wanted) =>
    given.some((found) => found.length === wanted.length && timingSafeEqual(found, wanted)),
  );
}

const signatureOf = (key: Buffer, id: string, timestamp: string, body: string | Buffer): Buffer =>
  createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest();
