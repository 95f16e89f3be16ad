import { randomBytes } from "node:crypto";
import type { ByteRange } from "../ports.ts";
import { contentRange } from "./ranges.ts";

/** Several ranges in one reply (RFC 9110 §14.6). */
export interface ByteRanges {
  readonly contentType: string;
  readonly lengthBytes: number;
  readonly body: AsyncIterable<Buffer>;
}

export function byteRanges(
  ranges: readonly ByteRange[],
  { sizeBytes, contentType }: { readonly sizeBytes: number; readonly contentType: string },
  read: (range: ByteRange) => AsyncIterable<Buffer>,
): ByteRanges {
  const boundary = randomBytes(15).toString("hex");
  const heads = ranges.map((range) =>
    Buffer.from(
      `\r\n--${boundary}\r\nContent-Type: ${contentType}\r\nContent-Range: ${contentRange(range, sizeBytes)}\r\n\r\n`,
      "latin1",
    ),
  );
  const end = Buffer.from(`\r\n--${boundary}--\r\n`);
  const lengthBytes = end.length + ranges.reduce((sum, { from, to }, at) => sum + heads[at]!.length + to - from, 0);
  return {
    contentType: `multipart/byteranges; boundary=${boundary}`,
    lengthBytes,
    body: (async function* () {
      for (const [at, range] of ranges.entries()) {
        yield heads[at]!;
        yield* read(range);
      }
      yield end;
    })(),
  };
}
