import type { Call, Reply } from "../../../kernel/route.ts";
import { conditionOf, contentRange, isRangeOfThis, rangesOf } from "../serving/index.ts";
import { cacheControlOf } from "./caching.ts";
import { acceptedCodings, type Coding } from "./encodings.ts";
import { isCompressible, typeByName } from "./site-types.ts";
import type { SiteFile, SiteSource } from "./types.ts";

export type SiteCall = Pick<Call, "method" | "headers" | "signal">;

/** What may stand in a header; anything else an app's SQL has written counts as not said. */
const headerText = /^[\x20-\x7e]{1,1000}$/;
const sendable = (said: string | null): string | null => (said !== null && headerText.test(said) ? said : null);

/** A file, or the variant of it that the client likes best. */
interface Chosen {
  readonly file: SiteFile;
  readonly coding: Coding | null;
}

/** Sends a file of a site: variants, conditions and ranges (RFC 9110 §12.5.3, §13, §14). Closes it, or leaves that to the reply's body. */
export async function sendFile(call: SiteCall, path: string, plain: SiteFile, source: SiteSource): Promise<Reply> {
  const contentType = typeByName(path) ?? sendable(plain.contentType) ?? "application/octet-stream";
  const { file, coding } = await choose(call, path, plain, source, contentType);
  const etag = coding === null ? file.etag : `${file.etag.slice(0, -1)}-${coding.name}"`;
  const validators = { etag, lastModifiedMs: file.lastModifiedMs };
  const always = [
    "ETag",
    etag,
    "Last-Modified",
    new Date(file.lastModifiedMs).toUTCString(),
    "Cache-Control",
    cacheControlOf(path, contentType, sendable(plain.cacheControl)),
    ...(isCompressible(contentType) ? ["Vary", "Accept-Encoding"] : []),
  ];
  const condition = conditionOf(call.headers, validators);
  if (condition !== "send") {
    await file.close();
    return { status: condition === "failed" ? 412 : 304, headers: always, body: null };
  }
  // A variant is packed the way its name says, whatever else its source says of it.
  const packed = coding?.name ?? sendable(plain.contentEncoding);
  const headers = [
    ...["Content-Type", contentType, ...always, "Accept-Ranges", "bytes", "X-Content-Type-Options", "nosniff"],
    ...(packed === null ? [] : ["Content-Encoding", packed]),
  ];
  const { sizeBytes } = file;
  if (call.method === "HEAD") {
    await file.close();
    return { status: 200, headers, body: null, lengthBytes: sizeBytes };
  }
  const asked = call.headers.range;
  const ranges = asked === undefined || !isRangeOfThis(call.headers, validators) ? null : rangesOf(asked, sizeBytes);
  if (ranges?.length === 0) {
    await file.close();
    return { status: 416, headers: ["Content-Range", `bytes */${sizeBytes}`], body: null };
  }
  // Several ranges may be answered with the whole (RFC 9110 §14.2): no browser asks a web site for them.
  const range = ranges?.length === 1 ? ranges[0]! : null;
  const body = await file.read(range, call);
  const lengthBytes = range === null ? sizeBytes : range.to - range.from;
  if (range === null) return { status: 200, headers, body, lengthBytes };
  return { status: 206, headers: [...headers, "Content-Range", contentRange(range, sizeBytes)], body, lengthBytes };
}

/** The first variant there is of those the client takes. */
async function choose(
  { headers }: SiteCall,
  path: string,
  plain: SiteFile,
  source: SiteSource,
  contentType: string,
): Promise<Chosen> {
  if (!isCompressible(contentType)) return { file: plain, coding: null };
  for (const coding of acceptedCodings(headers["accept-encoding"] as string | undefined)) {
    const file = await source.find(path + coding.ending);
    if (file === null) continue;
    await plain.close();
    return { file, coding };
  }
  return { file: plain, coding: null };
}
