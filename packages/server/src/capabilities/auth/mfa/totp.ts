import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** RFC 6238 §4.1: what every authenticator app assumes. */
const stepSeconds = 30;
const digits = 6;
/** RFC 4226 §4 recommends 160 bits. */
const secretBytes = 20;
/** RFC 6238 §5.2: clocks differ, and typing takes time. */
const skewSteps = 1;

/** A new secret in base32, as it is typed into an app. */
export const newTotpSecret = (): string => base32(randomBytes(secretBytes));

/** The 30-second step of a Unix time in milliseconds. */
export const totpStep = (nowMs: number): number => Math.floor(nowMs / 1_000 / stepSeconds);

/** The code of one step: HOTP of it (RFC 4226 §5.3), with SHA-1. */
export function totpCode(secret: Buffer, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac("sha1", secret).update(counter).digest();
  const offset = mac.at(-1)! & 0x0f;
  const number = mac.readUInt32BE(offset) & 0x7fffffff;
  return String(number % 10 ** digits).padStart(digits, "0");
}

/**
 * The step whose code it is, this one or a neighbour; `null` when it is none. Whoever accepts it uses the step up.
 * @param secret base32
 */
export function matchTotp(secret: string, code: string, nowMs: number): number | null {
  const given = code.replace(/\s/g, "");
  if (!/^\d{6}$/.test(given)) return null;
  const key = bytesOfBase32(secret);
  const now = totpStep(nowMs);
  let found: number | null = null;
  // All are compared whichever matches, the newest last: it is the one to use up.
  for (let step = now - skewSteps; step <= now + skewSteps; step++) {
    if (timingSafeEqual(Buffer.from(totpCode(key, step)), Buffer.from(given))) found = step;
  }
  return found;
}

/** What a QR code tells the app (Key Uri Format, github.com/google/google-authenticator/wiki/Key-Uri-Format). */
export function totpUri({ issuer, account, secret }: Record<"issuer" | "account" | "secret", string>): string {
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(account)}`;
  const query = `algorithm=SHA1&digits=${digits}&issuer=${encodeURIComponent(issuer)}&period=${stepSeconds}`;
  return `otpauth://totp/${label}?${query}&secret=${secret}`;
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** RFC 4648 §6, without padding. */
export function base32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += alphabet[(value >>> (bits - 5)) & 31];
    value &= (1 << bits) - 1;
  }
  return bits === 0 ? text : text + alphabet[(value << (5 - bits)) & 31];
}

function bytesOfBase32(text: string): Buffer {
  const bytes: number[] = [];
  let bits = 0;
  let value = 0;
  for (const letter of text.toUpperCase().replace(/[\s=]/g, "")) {
    value = (value << 5) | alphabet.indexOf(letter);
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push(value >>> bits);
    value &= (1 << bits) - 1;
  }
  return Buffer.from(bytes);
}
