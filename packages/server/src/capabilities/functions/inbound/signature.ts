import { createHmac, timingSafeEqual } from "node:crypto";
import type { WebhookOptions } from "@mainstay/functions";
import { isSignedWebhook, webhookKeys } from "../../../platform/outbound/webhook-signature.ts";
import type { InboundRequest } from "./types.ts";

/** How far the sender's time may be from ours, in seconds, where nothing else is said. */
const defaultToleranceSeconds = 300;

/** Secrets while they are being changed: divided by `|`, empty ones do not count. */
export const secretsOf = (setting: string): readonly string[] =>
  setting
    .split("|")
    .map((secret) => secret.trim())
    .filter((secret) => secret !== "");

/**
 * Whether the body is from somebody who has one of the secrets, and of now where a time is signed (threat X03). In time that tells nothing of how much of
 * a signature is right.
 * @throws SettingError when a secret of Standard Webhooks is none
 */
export function isSigned(
  options: WebhookOptions,
  secret: { readonly name: string; readonly value: string },
  { headers, body }: InboundRequest,
  nowMs: number,
): boolean {
  const toleranceSeconds = options.toleranceSeconds ?? defaultToleranceSeconds;
  switch (options.provider) {
    case "stripe":
      return isSignedByStripe(secretsOf(secret.value), headers.get("stripe-signature") ?? "", body, {
        nowMs,
        toleranceSeconds,
      });
    case "github":
      return isSignedWith(secretsOf(secret.value), body, {
        signature: headers.get("x-hub-signature-256") ?? "",
        algorithm: "sha256",
        encoding: "hex",
        prefix: "sha256=",
      });
    case "standard":
      return isSignedWebhook({
        headers: Object.fromEntries(headers),
        body,
        keys: webhookKeys(secret.name, secret.value),
        nowMs,
        toleranceSeconds,
      });
    case "hmac": {
      const { header = "", algorithm = "sha256", encoding = "hex", prefix = "" } = options.signature ?? {};
      return isSignedWith(secretsOf(secret.value), body, {
        signature: headers.get(header.toLowerCase()) ?? "",
        algorithm,
        encoding,
        prefix,
      });
    }
  }
}

/** `t=<unix seconds>,v1=<hex>,…`, several `v1` while a secret is being changed (https://docs.stripe.com/webhooks#verify-manually). */
function isSignedByStripe(
  secrets: readonly string[],
  header: string,
  body: Buffer,
  { nowMs, toleranceSeconds }: { readonly nowMs: number; readonly toleranceSeconds: number },
): boolean {
  const pairs = header.split(",").map((part) => part.trim().split("=", 2) as [string, string | undefined]);
  const times = pairs.filter(([name]) => name === "t").map(([, value = ""]) => value);
  const [time = ""] = times;
  if (times.length !== 1 || !/^\d{1,12}$/.test(time)) return false;
  if (Math.abs(nowMs / 1_000 - Number(time)) > toleranceSeconds) return false;
  const given = pairs.flatMap(([name, value = ""]) => (name === "v1" ? [bytesOf(value, "hex")] : []));
  return secrets.some((secret) => {
    const wanted = createHmac("sha256", secret).update(`${time}.`).update(body).digest();
    return given.some((one) => isSame(one, wanted));
  });
}

function isSignedWith(
  secrets: readonly string[],
  body: Buffer,
  {
    signature,
    algorithm,
    encoding,
    prefix,
  }: {
    readonly signature: string;
    readonly algorithm: "sha256" | "sha1" | "sha512";
    readonly encoding: "hex" | "base64";
    readonly prefix: string;
  },
): boolean {
  if (!signature.startsWith(prefix)) return false;
  const given = bytesOf(signature.slice(prefix.length).trim(), encoding);
  return secrets.some((secret) => isSame(given, createHmac(algorithm, secret).update(body).digest()));
}

/** Nothing for what is not written as it should be: Node reads hexadecimals up to the first other character. */
function bytesOf(text: string, encoding: "hex" | "base64"): Buffer {
  const isWhole = encoding === "hex" ? /^[0-9a-f]+$/i.test(text) : /^[A-Za-z0-9+/]+={0,2}$/.test(text);
  return isWhole ? Buffer.from(text, encoding) : Buffer.alloc(0);
}

const isSame = (given: Buffer, wanted: Buffer): boolean =>
  given.length === wanted.length && timingSafeEqual(given, wanted);
