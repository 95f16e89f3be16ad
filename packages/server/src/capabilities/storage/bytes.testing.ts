import { createHash } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { BlobStore } from "./ports.ts";

/** The same bytes for the same numbers, and others for others. */
export function bytesOf(length: number, seed = 1): Buffer {
  const block = createHash("sha512").update(String(seed)).digest();
  const bytes = Buffer.alloc(length, block);
  // So that no two blocks are alike: bytes in the wrong place are found.
  for (let at = 0; at + 4 <= length; at += 64) bytes.writeUInt32LE((at + seed) >>> 0, at);
  return bytes;
}

export async function* inPieces(bytes: Buffer, pieceBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

export async function* given(pieces: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* pieces;
}

export async function collect(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(chunks));
}

export const idsOf = async (store: BlobStore): Promise<string[]> =>
  (await Array.fromAsync(store.list())).map(({ id }) => id);

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Memory of buffers that somebody still has, in bytes. */
export function liveBytes(): number {
  // Buffers of the first round are given back beside it, and at the latest before the second one.
  collectGarbage();
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}
