import { type Call, json, type Reply } from "../../../kernel/route.ts";
import type { Content, ContentReader } from "../content/types.ts";
import type { ByteRange } from "../ports.ts";
import { problems } from "../problems.ts";
import type { StoredObject } from "../types.ts";
import { byteRanges } from "./byteranges.ts";
import { privateCacheControl } from "./cache-control.ts";
import { conditionOf, isRangeOfThis } from "./conditions.ts";
import { attachment } from "./disposition.ts";
import { type Audience, createFileHeaders } from "./headers.ts";
import { contentRange, rangesOf } from "./ranges.ts";

export interface ServeOptions {
  readonly audience: Audience;
  /** Under which name a browser saves it: `""` for the one in the address, `null` to show it. */
  readonly download: string | null;
  /** When the URL ends, in Unix milliseconds, so that no copy outlives it. */
  readonly expiresAtMs?: number;
  /** Looks the object up anew: its bytes may have been replaced since. */
  readonly again?: () => Promise<StoredObject | null>;
  /** Bytes to send in place of the object's own, where what is said of the object is said of them. */
  readonly reader?: ContentReader;
}

/** Sends files: conditions, ranges and headers as RFC 9110 has them, from memory where they are small. */
export interface Serving {
  /** @throws Problem `NoSuchKey` when the object has no bytes */
  serve(call: Pick<Call, "method" | "headers" | "signal">, object: StoredObject, options: ServeOptions): Promise<Reply>;
}

/** How many files' headers are remembered. */
const rememberedFiles = 10_000;

export function createServing({
  content,
  clock,
}: {
  readonly content: Pick<Content, "open">;
  readonly clock: { nowMs(): number };
}): Serving {
  const headersOf = createFileHeaders(rememberedFiles);

  const serving: Serving = {
    async serve(call, object, options) {
      const known = headersOf(object, options.audience);
      switch (conditionOf(call.headers, object)) {
        case "not-modified":
          return { status: 304, headers: known.unmodified, body: null };
        case "failed":
          return { status: 412, headers: known.unmodified, body: null };
        case "send":
      }
      const reader = options.reader ?? (object.version === null ? null : await content.open(object.version));
      if (reader === null) return sendReplaced(call, object, options);

      let headers: readonly string[] = known.shown;
      if (options.download !== null) {
        headers = [...known.full, "Content-Disposition", attachment(options.download)];
      }
      if (options.expiresAtMs !== undefined) headers = withExpiry(headers, object, options.expiresAtMs, clock.nowMs());
      if (call.method === "HEAD") {
        return { status: 200, headers, body: null, lengthBytes: reader.sizeBytes };
      }
      const range = call.headers.range;
      const ranges =
        range === undefined || !isRangeOfThis(call.headers, object) ? null : rangesOf(range, reader.sizeBytes);
      if (ranges === null) return sendWhole(call, reader, headers);
      if (ranges.length === 0) return unsatisfiable(reader.sizeBytes);
      if (ranges.length === 1) return sendRange(call, reader, headers, ranges[0]!);
      return sendRanges(call, reader, headers, ranges);
    },
  };
  return serving;

  /** Whoever replaces an object between our look at its row and at its bytes leaves us without bytes, and the object with others. */
  async function sendReplaced(
    call: Pick<Call, "method" | "headers" | "signal">,
    object: StoredObject,
    { again, ...options }: ServeOptions,
  ): Promise<Reply> {
    const now = (await again?.()) ?? null;
    if (now === null || now.version === object.version) throw problems.noSuchKey();
    return serving.serve(call, now, options);
  }
}

async function sendWhole(
  call: Pick<Call, "signal">,
  reader: ContentReader,
  headers: readonly string[],
): Promise<Reply> {
  const whole = await reader.whole();
  if (whole !== null) return { status: 200, headers, body: whole };
  return { status: 200, headers, body: reader.stream(undefined, call.signal), lengthBytes: reader.sizeBytes };
}

async function sendRange(
  call: Pick<Call, "signal">,
  reader: ContentReader,
  headers: readonly string[],
  range: ByteRange,
): Promise<Reply> {
  const ranged = [...headers, "Content-Range", contentRange(range, reader.sizeBytes)];
  const whole = await reader.whole();
  if (whole !== null) return { status: 206, headers: ranged, body: whole.subarray(range.from, range.to) };
  return {
    status: 206,
    headers: ranged,
    body: reader.stream(range, call.signal),
    lengthBytes: range.to - range.from,
  };
}

function sendRanges(
  call: Pick<Call, "signal">,
  reader: ContentReader,
  headers: readonly string[],
  ranges: readonly ByteRange[],
): Reply {
  const at = headers.indexOf("Content-Type") + 1;
  const { contentType, lengthBytes, body } = byteRanges(
    ranges,
    { sizeBytes: reader.sizeBytes, contentType: headers[at]! },
    (range) => reader.stream(range, call.signal),
  );
  return { status: 206, headers: headers.with(at, contentType), body, lengthBytes };
}

/** With its real status: players ask until they get it, and know what it says. */
function unsatisfiable(sizeBytes: number): Reply {
  const said = {
    statusCode: "416",
    error: "invalid_range",
    message: "The range is not satisfiable",
    code: "InvalidRange",
  };
  return json(said, 416, ["Content-Range", `bytes */${sizeBytes}`, "Cache-Control", "no-store"]);
}

function withExpiry(
  headers: readonly string[],
  object: StoredObject,
  expiresAtMs: number,
  nowMs: number,
): readonly string[] {
  const leftSeconds = Math.max(0, Math.floor((expiresAtMs - nowMs) / 1000));
  const at = headers.indexOf("Cache-Control") + 1;
  const bounded = headers.with(at, privateCacheControl(object.cacheControl, leftSeconds));
  return [...bounded, "Expires", new Date(expiresAtMs).toUTCString()];
}
