import { domainToASCII } from "node:url";

/** RFC 5321 §4.5.3.1: octets of a local part, and of a whole address (RFC 3696 errata 1690; the column holds 255). */
const localMaxBytes = 64;
const addressMaxBytes = 254;

const localPart =
  /^[a-z0-9!#$%&'*+/=?^_`{|}~\u0080-\u{10ffff}-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~\u0080-\u{10ffff}-]+)*$/u;
const domainLabel = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** Controls, format characters, spaces and whatever is drawn as nothing: two addresses must not look the same. */
const invisible = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/u;

/**
 * The one spelling of an e-mail address that is stored, compared and unique (threat A20): NFKC, lower case, domain as
 * Punycode. `null` when it is none. Mail goes to this spelling and never to what a request said.
 */
export function canonicalEmail(input: string): string | null {
  if (input.length > addressMaxBytes) return null;
  // Lower-casing can leave a composed letter apart (İ), so it is composed again.
  const text = input.trim().normalize("NFKC").toLowerCase().normalize("NFKC");
  if (invisible.test(text)) return null;
  const at = text.lastIndexOf("@");
  const local = text.slice(0, Math.max(at, 0));
  const given = text.slice(at + 1);
  if (!localPart.test(local) || Buffer.byteLength(local) > localMaxBytes) return null;
  // `domainToASCII` reads URL syntax, so what means something there is kept from it.
  if (!/^[a-z0-9.\u0080-\u{10ffff}-]+$/u.test(given)) return null;
  const domain = domainToASCII(given);
  const labels = domain.split(".");
  if (domain === "" || !labels.every((label) => domainLabel.test(label)) || /^\d+$/.test(labels.at(-1)!)) return null;
  const address = `${local}@${domain}`;
  return Buffer.byteLength(address) > addressMaxBytes ? null : address;
}

/** Digits of an E.164 number, without `+`, as the phone column has them; `null` when it is none. */
export function canonicalPhone(input: string): string | null {
  const digits = input
    .trim()
    .replace(/^\+/, "")
    .replace(/[ ()-]/g, "");
  return /^[1-9]\d{4,14}$/.test(digits) ? digits : null;
}
