import { promisify } from "node:util";
import { brotliDecompress, constants, gunzip, inflate, type ZlibOptions } from "node:zlib";
import { headBytes } from "./sniff.ts";

/** Most bytes that the beginning of a file may unpack to: gzip makes at most 1,032 of one, and what makes more is a bomb (threat S06). */
const maxUnpackedBytes = 1_040 * headBytes;

type Unpack = (bytes: Buffer, options: ZlibOptions & { readonly maxOutputLength: number }) => Promise<Buffer>;
const gzip: Unpack = (bytes, options) => promisify(gunzip)(bytes, { ...options, finishFlush: constants.Z_SYNC_FLUSH });
const unpackers: ReadonlyMap<string, Unpack> = new Map<string, Unpack>([
  ["gzip", gzip],
  ["x-gzip", gzip],
  ["deflate", (bytes, options) => promisify(inflate)(bytes, { ...options, finishFlush: constants.Z_SYNC_FLUSH })],
  [
    "br",
    (bytes, { maxOutputLength }) =>
      promisify(brotliDecompress)(bytes, { maxOutputLength, finishFlush: constants.BROTLI_OPERATION_FLUSH }),
  ],
]);

/** The beginning of a file, unpacked, from its first bytes as they came; `null` when it is not packed in a way that we can undo. */
export async function beginningOf(contentEncoding: string | null, head: Buffer): Promise<Buffer | null> {
  if (contentEncoding === null) return head;
  const unpack = unpackers.get(contentEncoding);
  if (unpack === undefined) return null;
  try {
    return (await unpack(head, { maxOutputLength: maxUnpackedBytes })).subarray(0, headBytes);
  } catch {
    return null;
  }
}
