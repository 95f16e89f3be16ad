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
 * User metadata as headers. Whatever other entrances have put there: what is no name or value of a header is left out or encoded as RFC 2047 has it,
 * as S3 does, and not sent as it is (threat S05).
 */
export function metadataHeaders(metadata: Readonly<Record<string, unknown>> | null): readonly string[] {
  return Object.entries(metadata ?? {}).flatMap(([name, value]) => {
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}$/.test(name)) return [];
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return [prefix + name.toLowerCase(), encodedWord(text)];
  });
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
