import type { WriteOrder } from "../objects/types.ts";
import { uploadProblems } from "./problems.ts";

/** What a file is said to be, besides its name. */
export type FileFacts = Pick<WriteOrder, "contentType" | "contentEncoding" | "cacheControl" | "userMetadata">;

/** Largest user metadata, in bytes of JSON (protocols: limits). */
const maxMetadataBytes = 1024 * 1024;
const maxCacheControlChars = 1_000;
const maxContentEncodingChars = 100;
const codings = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:\s*,\s*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*$/;

/** Whether it may stand in the header. */
export const isContentEncoding = (text: string): boolean => codings.test(text);

/** What is kept where nothing is said (protocols: upload). */
export const defaultCacheControl = "no-cache";
export const defaultContentType = "application/octet-stream";

/** `3600` → `max-age=3600`; a header's text as it is. @throws Problem when no header could say that (threat S05) */
export function readCacheControl(text: string | undefined): string {
  const value = text?.trim() ?? "";
  if (value === "") return defaultCacheControl;
  if (/^\d{1,10}$/.test(value)) return `max-age=${value}`;
  if (value.length > maxCacheControlChars || !/^[\x20-\x7e]+$/.test(value)) throw uploadProblems.cacheControl();
  return value;
}

/**
 * How bytes are packed already: content codings of RFC 9110 §8.4, in small letters. `null` where nothing is said, or nothing was done.
 * @throws Problem when no header could say that (threat S05)
 */
export function readContentEncoding(text: string | undefined): string | null {
  const value = text?.trim().toLowerCase() ?? "";
  if (value === "" || value === "identity") return null;
  if (value.length > maxContentEncodingChars || !isContentEncoding(value)) throw uploadProblems.contentEncoding();
  return value;
}

/** A JSON object; `null` where nothing is said. @throws Problem for anything else */
export function readMetadata(text: string | undefined): Readonly<Record<string, unknown>> | null {
  if (text === undefined || text === "") return null;
  if (Buffer.byteLength(text) > maxMetadataBytes) throw uploadProblems.metadata();
  let value: unknown;
  try {
    value = JSON.parse(text, keepable);
  } catch {
    throw uploadProblems.metadata();
  }
  if (value === null) return null;
  if (typeof value !== "object" || Array.isArray(value)) throw uploadProblems.metadata();
  return value as Record<string, unknown>;
}

/** PostgreSQL keeps neither U+0000 nor half of a surrogate pair in JSON. @throws Error */
function keepable(name: string, value: unknown): unknown {
  for (const text of [name, value]) {
    if (typeof text === "string" && (text.includes("\0") || !text.isWellFormed())) throw new Error("Cannot be kept.");
  }
  return value;
}

/** As `readMetadata`, of base64 as the header `x-metadata` and resumable uploads have it. */
export function readEncodedMetadata(base64: string | undefined): Readonly<Record<string, unknown>> | null {
  if (base64 === undefined || base64 === "") return null;
  return readMetadata(Buffer.from(base64, "base64").toString("utf8"));
}
