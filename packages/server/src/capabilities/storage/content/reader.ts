import type { ByteRange } from "../ports.ts";
import type { BlobReader } from "./blob-reader.ts";
import type { StoredSegment } from "./read-store.ts";
import type { ContentReader } from "./types.ts";
import type { WeightedLru } from "./weighted-lru.ts";

export interface ReaderNeeds {
  readonly blobs: BlobReader;
  /** Small files, by version. */
  readonly memory: WeightedLru<string, Buffer>;
  /** Largest file that is kept there. */
  readonly memoryFileBytes: number;
}

/** When so little of a segment is left, the next one is opened, in bytes: earlier would keep a connection waiting for nothing. */
const openAheadBytes = 1_048_576;
/** What a file in memory costs beside its bytes. */
const overheadBytes = 200;

/** A part of a segment. */
interface Piece {
  readonly segment: StoredSegment;
  readonly range: ByteRange;
}

/** @see ContentReader */
export function createReader(version: string, segments: readonly StoredSegment[], needs: ReaderNeeds): ContentReader {
  const { blobs, memory, memoryFileBytes } = needs;
  const sizeBytes = segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
  /** Who asks while it is read gets the same. */
  let reading: Promise<Buffer> | null = null;

  const readWhole = async (): Promise<Buffer> => {
    const parts: Buffer[] = [];
    for (const segment of segments) if (segment.sizeBytes > 0) parts.push(await blobs.readWhole(segment));
    const bytes = parts.length === 1 ? ownBytes(parts[0]!) : Buffer.concat(parts);
    memory.set(version, bytes, bytes.length + overheadBytes);
    return bytes;
  };

  return {
    sizeBytes,

    stream(range = { from: 0, to: sizeBytes }, signal) {
      return streamOf(blobs, piecesOf(segments, range), signal);
    },

    async whole() {
      if (sizeBytes > memoryFileBytes) return null;
      const known = memory.get(version);
      if (known !== undefined) return known;
      reading ??= readWhole().finally(() => {
        reading = null;
      });
      return reading;
    },
  };
}

/** A small buffer of Node's may keep a large one alive, of which it is a part. */
const ownBytes = (bytes: Buffer): Buffer => (bytes.buffer.byteLength > bytes.length * 2 ? Buffer.from(bytes) : bytes);

/** Which parts of which segments a range is made of. */
export function piecesOf(segments: readonly StoredSegment[], { from, to }: ByteRange): readonly Piece[] {
  const pieces: Piece[] = [];
  let start = 0;
  for (const segment of segments) {
    const end = start + segment.sizeBytes;
    if (start >= to || from >= to) break;
    if (end > from && segment.sizeBytes > 0) {
      pieces.push({ segment, range: { from: Math.max(from, start) - start, to: Math.min(to, end) - start } });
    }
    start = end;
  }
  return pieces;
}

async function* streamOf(
  blobs: BlobReader,
  pieces: readonly Piece[],
  signal?: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  const open = (at: number): Promise<AsyncIterable<Buffer>> | null => {
    const piece = pieces[at];
    if (piece === undefined) return null;
    const opening = blobs.read(piece.segment, piece.range, signal);
    // It fails when it is its turn, and not before.
    opening.catch(() => {});
    return opening;
  };
  let next = open(0);
  try {
    for (let at = 0; next !== null; at++) {
      const current = await next;
      next = null;
      const { range } = pieces[at]!;
      let leftBytes = range.to - range.from;
      if (leftBytes <= openAheadBytes) next = open(at + 1);
      for await (const chunk of current) {
        leftBytes -= chunk.length;
        if (leftBytes <= openAheadBytes) next ??= open(at + 1);
        yield chunk;
      }
      next ??= open(at + 1);
    }
  } finally {
    if (next !== null) void giveBack(next);
  }
}

/** One that was opened and is not wanted. A generator gives nothing back before it has begun. */
async function giveBack(opening: Promise<AsyncIterable<Buffer>>): Promise<void> {
  try {
    for await (const _ of await opening) break;
  } catch {
    // Then there is nothing to give back.
  }
}
