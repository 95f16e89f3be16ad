import type { Problem } from "../../kernel/problem.ts";
import { isSignedBy, parseJws } from "./jws.ts";
import { problems } from "./problems.ts";
import { hmacKey } from "./secret.ts";
import type { ApiKeys } from "./types.ts";

/** Secrets printed in the documentation and example files of products like ours: everybody knows them. */
const knownSecrets = [
  "super-secret-jwt-token-with-at-least-32-characters-long",
  "your-super-secret-jwt-token-with-at-least-32-characters-long",
  "reallyreallyreallyreallyverysafe",
  "secret",
];

/** Keys every local Supabase stack has. */
const knownApiKeys = new Set([
  "sb_publishable_ACJWlzQHlZjBrEguHvfOxg_3BJgxAaH",
  "sb_secret_N7UND0UgjKTVK-Uodkm0Hg_xSvEMPvz",
]);

const minSecretBytes = 32;
/** Below this a secret was typed, not drawn: 32 random hexadecimal digits come to about 115. */
const minEntropyBits = 90;

/**
 * Why these secrets must not face a network (threat A29); `null` when they may, or when `host` is this machine alone.
 * A start that gets a Problem here is refused.
 */
export function weakSecretProblem(secrets: ApiKeys, host: string): Problem | null {
  if (isLoopback(host)) return null;
  const reason = weakness(secrets);
  if (reason === null) return null;
  return problems.weakSecret(reason, host);
}

function weakness(secrets: ApiKeys): string | null {
  if (secrets.jwtSecret !== null) {
    const reason = secretWeakness(secrets.jwtSecret);
    if (reason !== null) return reason;
  }
  for (const [name, key] of [
    ["anon key", secrets.anonKey],
    ["service role key", secrets.serviceRoleKey],
    ["publishable key", secrets.publishableKey],
    ["secret key", secrets.secretKey],
  ] as const) {
    if (knownApiKeys.has(key) || isSignedByKnownSecret(key)) return `The ${name} is a published example.`;
  }
  const opaque = [secrets.serviceRoleKey, secrets.secretKey].filter((key) => !key.startsWith("ey"));
  return opaque.some((key) => entropyBits(key.replace(/^sb_secret_/, "")) < minEntropyBits)
    ? "A secret key is too easy to guess."
    : null;
}

function secretWeakness(secret: string): string | null {
  if (knownSecrets.includes(secret)) return "The JWT secret is a published example.";
  if (Buffer.byteLength(secret) < minSecretBytes) return `The JWT secret is shorter than ${minSecretBytes} bytes.`;
  if (/secret|password|passw0rd|change-?_?me|example|your[-_]/i.test(secret)) return "The JWT secret is made of words.";
  return entropyBits(secret) < minEntropyBits ? "The JWT secret is too easy to guess." : null;
}

/** Shannon's estimate over the characters of `text`: generous to words, merciless to repetition. */
function entropyBits(text: string): number {
  const counts = new Map<string, number>();
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= count * Math.log2(count / text.length);
  return bits;
}

function isSignedByKnownSecret(key: string): boolean {
  try {
    const jws = parseJws(key);
    return knownSecrets.some((secret) => isSignedBy(jws, hmacKey(Buffer.from(secret))));
  } catch {
    return false;
  }
}

/** 127.0.0.0/8, ::1 and their names. Everything else, `0.0.0.0` and `::` first, faces a network. */
function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "").toLowerCase();
  return bare === "localhost" || bare === "::1" || /^(?:::ffff:)?127(?:\.\d{1,3}){3}$/.test(bare);
}
