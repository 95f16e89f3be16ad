/**
 * Several frames as one buffer, to be written at once. The members of a room mostly have the same frames waiting, one socket after the
 * other: those are joined once for all of them. (Eight messages to a thousand sockets: a copy of each for every socket was a tenth of the
 * time, with its garbage.)
 */
export class JoinedFrames {
  #frames: readonly Buffer[] = [];
  #chunk: Buffer | null = null;

  /** Of these, from one place up to another. @param bytes their lengths together */
  of(frames: readonly Buffer[], from: number, to: number, bytes: number): Buffer {
    if (to === from + 1) return frames[from]!;
    if (this.#chunk !== null && this.#isOf(frames, from, to)) return this.#chunk;
    this.#frames = frames.slice(from, to);
    this.#chunk = Buffer.concat(this.#frames, bytes);
    return this.#chunk;
  }

  /** Lets go of the last ones. */
  forget(): void {
    this.#frames = [];
    this.#chunk = null;
  }

  #isOf(frames: readonly Buffer[], from: number, to: number): boolean {
    if (to - from !== this.#frames.length) return false;
    for (let at = from; at < to; at++) if (frames[at] !== this.#frames[at - from]) return false;
    return true;
  }
}
