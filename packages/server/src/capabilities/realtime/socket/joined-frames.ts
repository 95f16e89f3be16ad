/** Most chunks that are kept for others within one turn: of 64 KB each, a few MB. */
const chunksMost = 64;

interface Chunk {
  readonly frames: readonly Buffer[];
  readonly joined: Buffer;
}

/**
 * Several frames as one buffer, to be written at once. The members of a room mostly have the same frames waiting, one socket after the
 * other: those are joined once for all of them, also where they fill several buffers. (Eight messages to a thousand sockets: a copy of
 * each for every socket was a tenth of the time, with its garbage; and readers that do not read keep what they were given last, which
 * was 32 MB for 500 of them.)
 */
export class JoinedFrames {
  /** By the first frame of each. */
  readonly #chunks = new Map<Buffer, Chunk>();

  /** Of these, from one place up to another. @param bytes their lengths together */
  of(frames: readonly Buffer[], from: number, to: number, bytes: number): Buffer {
    const first = frames[from]!;
    if (to === from + 1) return first;
    const known = this.#chunks.get(first);
    if (known !== undefined && isOf(known.frames, frames, from, to)) return known.joined;
    // What is written when the kernel has taken something belongs to no round of all sockets, at whose end somebody would let go of it.
    if (this.#chunks.size === 0) setImmediate(() => this.forget());
    else if (this.#chunks.size >= chunksMost) this.#chunks.clear();
    const own = frames.slice(from, to);
    const joined = Buffer.concat(own, bytes);
    this.#chunks.set(first, { frames: own, joined });
    return joined;
  }

  /** Lets go of all. */
  forget(): void {
    this.#chunks.clear();
  }
}

function isOf(known: readonly Buffer[], frames: readonly Buffer[], from: number, to: number): boolean {
  if (to - from !== known.length) return false;
  for (let at = from; at < to; at++) if (frames[at] !== known[at - from]) return false;
  return true;
}
