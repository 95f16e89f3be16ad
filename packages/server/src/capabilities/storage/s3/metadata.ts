import type { IncomingHttpHeaders } from "node:http";
import type { WriteOrder } from "../objects/types.ts";
import { defaultContentType, readCacheControl, readContentEncoding } from "../uploads/index.ts";
import { problems } from "./problems.ts";

export type Facts = Pick<WriteOrder, "contentType" | "contentEncoding" | "cacheControl" | "userMetadata">;

const prefix = "x-amz-meta-";

/** What the headers say of an object. @throws Problem `MetadataTooLarge`, or for what Mainstay would lose */
export function factsOf(headers: IncomingHttpHeaders, limitBytes: number): Facts {
  refuseLost(headers);
  return {
    contentType: headers["content-type"] ?? defaultContentType,
    // That of the transfer alone is undone when the object is there (payload/chunked.ts).
    contentEncoding: readContentEncoding(headers["content-encoding"]?.replace(/(?:^|,)\s*aws-chunked\s*/i, "")),
    cacheControl: readCacheControl(headers["cache-control"]),
    userMetadata: metadataOf(Object.entries(headers), limitBytes),
  };
}

/** `x-amz-meta-*`, with their bytes read as UTF-8; `null` when there is none. */
export function metadataOf(
  entries: readonly (readonly [string, string | string[] | undefined])[],
  limitBytes: number,
): Readonly<Record<string, string>> | null {
  let sizeBytes = 0;
  const pairs: [string, string][] = [];
  for (const [name, value] of entries) {
    if (!name.startsWith(prefix) || typeof value !== "string") continue;
    const text = utf8Of(value);
    sizeBytes += name.length - prefix.length + Buffer.byteLength(text);
    pairs.push([name.slice(prefix.length), text]);
  }
  if (sizeBytes > limitBytes) throw problems.metadataTooLarge();
  return pairs.length === 0 ? null : Object.fromEntries(pairs);
}

/** Headers are bytes. Node reads them as Latin-1, where some senders mean that and others UTF-8. */
function utf8Of(value: string): string {
  if (!/[\u0080-\u00ff]/.test(value)) return value;
  const text = Buffer.from(value, "latin1").toString("utf8");
  return text.includes("\uFFFD") ? value : text;
}

/**
 * User metadata as headers. Whatever other entrances have put there: what is no name of a header is left out, and what is no value of one is encoded as
 * RFC 2047 has it (threat S05). So is what would be more than S3 itself takes in: clients and proxies give up an answer with larger headers. How many
 * were left out, S3 says in a header of its own.
 */
export function metadataHeaders(
  metadata: Readonly<Record<string, unknown>> | null,
  limitBytes: number,
): readonly string[] {
  if (metadata === null) return [];
  const headers: string[] = [];
  let leftBytes = limitBytes;
  let missing = 0;
  for (const [name, value] of Object.entries(metadata)) {
    const text = encodedWord(typeof value === "string" ? value : JSON.stringify(value));
    const isHeader = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}$/.test(name);
    if (!isHeader || name.length + text.length > leftBytes) {
      missing++;
      continue;
    }
    leftBytes -= name.length + text.length;
    headers.push(prefix + name.toLowerCase(), text);
  }
  return missing === 0 ? headers : [...headers, "x-amz-missing-meta", String(missing)];
}

const encodedWord = (text: string): string =>
  /^[\x20-\x7e]*$/.test(text) ? text : `=?UTF-8?B?${Buffer.from(text).toString("base64")}?=`;

/** What a client relies on, and would silently not be there: better refused. */
function refuseLost(headers: IncomingHttpHeaders): void {
  for (const name of Object.keys(headers)) {
    const isLost =
      name.startsWith("x-amz-server-side-encryption-customer-") ||
      name.startsWith("x-amz-object-lock-") ||
      name === "x-amz-website-redirect-location" ||
      (name === "x-amz-tagging" && headers[name] !== "");
    if (isLost) throw problems.notImplemented(name);
  }
}
