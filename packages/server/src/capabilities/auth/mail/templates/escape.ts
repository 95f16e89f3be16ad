import { escapeHtml, queryEscape } from "./functions.ts";
import { EncodedText, TrustedUrl, textOf } from "./values.ts";

/** Written where a value must not be. Go's html/template has the same word, so that it can be searched for. */
export const refused = "ZgotmplZ";

/** What the value of an attribute means. */
export type AttributeKind = "plain" | "url" | "css" | "script" | "document";

const urlAttributes: ReadonlySet<string> = new Set(
  (
    "action archive background cite classid codebase data dynsrc formaction href icon imagesrcset longdesc lowsrc manifest " +
    "ping poster profile src srcset usemap xmlns"
  ).split(" "),
);

export function attributeKind(name: string): AttributeKind {
  const lower = name.toLowerCase();
  const colon = lower.indexOf(":");
  if (lower.startsWith("xmlns:")) return "url";
  const local = lower.slice(colon + 1).replace(/^data-/, "");
  if (local.startsWith("on") || lower.startsWith("on")) return "script";
  if (local === "style") return "css";
  if (local === "srcdoc") return "document";
  return urlAttributes.has(local) || /src|ur[il]|href/.test(local) ? "url" : "plain";
}

/** For an attribute without quotes: whatever ends one there is written as an entity. Never empty, or the next word is it. */
export const escapeUnquoted = (text: string): string =>
  text === "" ? refused : escapeHtml(text).replace(/[\t\n\v\f\r =`]/g, (character) => `&#${character.charCodeAt(0)};`);

/** Colours, sizes, names; the address of a picture. Nothing that could begin another declaration. */
export function cssValue(value: unknown): string {
  const text = textOf(value);
  if (/^[\w\s.,#%+-]*$/.test(text) && !text.includes("--") && !/expression|mozbinding/i.test(text)) return text;
  if (!/^https?:\/\//i.test(text)) return refused;
  return normalisedUrl(text).replace(/[*;,]/g, percent);
}

const percent = (character: string): string =>
  `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;

const openSchemes: ReadonlySet<string> = new Set(["http", "https", "mailto", "tel", "sms"]);
const scriptSchemes: ReadonlySet<string> = new Set([
  "javascript",
  "vbscript",
  "data",
  "livescript",
  "mocha",
  "blob",
  "view-source",
]);

/** The scheme that a browser would see: it drops controls and spaces. `null` when there is none (yet). */
function schemeOf(url: string): string | null {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  const seen = url.replace(/[\u0000-\u0020\u007f-\u00a0\u2028\u2029\ufeff]/g, "");
  return /^([^:/?#\\]*):/.exec(seen)?.[1]?.toLowerCase() ?? null;
}

/**
 * A value in a URL: whole in a query, as part of a path otherwise.
 * @param before what the attribute holds so far, written by the template and by values
 */
export function urlValue(value: unknown, before: string): string {
  const text = textOf(value);
  if (/[?#]/.test(before))
    return value instanceof EncodedText ? normalisedUrl(text) : queryEscape(text).replaceAll("+", "%20");
  const scheme = schemeOf(before + text);
  if (scheme !== null && !openSchemes.has(scheme)) {
    const isWritten = schemeOf(before) !== null;
    const isTrusted = value instanceof TrustedUrl && before.trim() === "";
    if (scriptSchemes.has(scheme) || !(isWritten || isTrusted)) return `#${refused}`;
  }
  return normalisedUrl(text);
}

/** Keeps what means something in a URL (RFC 3986 §2.2), and what is encoded; encodes the rest, quotes and brackets too. */
export const normalisedUrl = (text: string): string =>
  text
    .toWellFormed()
    .replace(/%(?![0-9a-fA-F]{2})|[^\w\-.~:/?#[\]@!$&*+,;=%]/gu, (character) =>
      character === "'" || character === "(" || character === ")" ? percent(character) : encodeURIComponent(character),
    );
