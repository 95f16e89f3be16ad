import type { Socket } from "node:net";
import type { FrameKind } from "./kinds.ts";

const headBytes = 9;
/** Room for frames of one turn. */
export const writerRoomBytes = 65_536;
const firstSizeBytes = writerRoomBytes;
/** Bytes of at least so many are handed to the socket as they are: copying them costs more than a further piece of a write. */
const ownPieceBytes = 32_768;

/** Memory that whoever ends this thread can read: the bytes, and how many of them are whole frames. */
export interface Unsent {
  readonly bytes: SharedArrayBuffer;
  readonly size: Int32Array;
  readonly slot: number;
}

/**
 * Writes frames into one buffer, and the buffer with one write: whoever adds frames says `flush` when there are no more for now. What is given
 * as bytes must not change afterwards.
 */
export class FrameWriter {
  readonly #socket: Socket;
  readonly #first: Buffer;
  readonly #unsent: Unsent | null;
  #room: Buffer;
  #at = 0;
  #frameAt = 0;
  /** Bytes of the frame being written that are not in `#room`. */
  #besideBytes = 0;
  #isCorked = false;

  /** @param unsent where others see what has not been handed over, should this thread not come to do it */
  constructor(socket: Socket, unsent: Unsent | null = null) {
    this.#socket = socket;
    this.#unsent = unsent;
    this.#first = unsent === null ? Buffer.allocUnsafeSlow(firstSizeBytes) : Buffer.from(unsent.bytes);
    this.#room = this.#first;
  }

  begin(kind: FrameKind, number: number): this {
    this.#frameAt = this.#at;
    this.#besideBytes = 0;
    const room = this.#makeRoom(headBytes);
    room[this.#at + 4] = kind;
    this.#at += 5;
    this.#putU32(number);
    return this;
  }

  u8(value: number): this {
    this.#makeRoom(1)[this.#at++] = value;
    return this;
  }

  u16(value: number): this {
    const room = this.#makeRoom(2);
    room[this.#at] = value;
    room[this.#at + 1] = value >>> 8;
    this.#at += 2;
    return this;
  }

  u32(value: number): this {
    this.#makeRoom(4);
    this.#putU32(value);
    return this;
  }

  /** A length, and text whose characters are bytes (U+0000 to U+00FF): others would become different ones. */
  latin1(text: string): this {
    const room = this.#makeRoom(4 + text.length);
    this.#putU32(text.length);
    this.#at += room.write(text, this.#at, "latin1");
    return this;
  }

  /** The rest of the frame, as UTF-8. */
  text(text: string): this {
    const sizeBytes = text.length * 3;
    const room = this.#makeRoom(sizeBytes);
    this.#at += room.write(text, this.#at, "utf8");
    return this;
  }

  /** The rest of the frame. */
  bytes(bytes: Buffer): this {
    if (bytes.length < ownPieceBytes) {
      const room = this.#makeRoom(bytes.length);
      this.#at += bytes.copy(room, this.#at);
    } else {
      this.#besideBytes = bytes.length;
      this.#finish();
      this.#pass();
      this.#socket.write(bytes);
      this.#frameAt = 0;
      return this;
    }
    return this;
  }

  end(): void {
    if (this.#besideBytes === 0) this.#finish();
    this.#besideBytes = 0;
    this.#tell();
  }

  /** Hands over what has been written. @returns whether the socket takes more without piling it up */
  flush(): boolean {
    this.#pass();
    if (this.#isCorked) {
      this.#isCorked = false;
      this.#socket.uncork();
    }
    return !this.#socket.writableNeedDrain;
  }

  /** Fills in how long the frame is. */
  #finish(): void {
    const end = this.#at;
    this.#at = this.#frameAt;
    this.#putU32(end - this.#frameAt - 4 + this.#besideBytes);
    this.#at = end;
  }

  /** What is in the buffer goes to the socket as a copy: the buffer is written again before the socket may be done. */
  #pass(): void {
    if (this.#at === 0) return;
    if (!this.#isCorked && this.#besideBytes > 0) {
      this.#isCorked = true;
      this.#socket.cork();
    }
    if (!this.#socket.destroyed) this.#socket.write(Buffer.from(this.#room.subarray(0, this.#at)));
    this.#at = 0;
    this.#room = this.#first;
    this.#tell();
  }

  /** What outgrew the shared room is not seen there. */
  #tell(): void {
    if (this.#unsent === null) return;
    Atomics.store(this.#unsent.size, this.#unsent.slot, this.#room === this.#first ? this.#at : 0);
  }

  #putU32(value: number): void {
    const room = this.#room;
    const at = this.#at;
    room[at] = value;
    room[at + 1] = value >>> 8;
    room[at + 2] = value >>> 16;
    room[at + 3] = value >>> 24;
    this.#at = at + 4;
  }

  #makeRoom(sizeBytes: number): Buffer {
    const needed = this.#at + sizeBytes;
    if (needed > this.#room.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#room.length * 2));
      this.#room.copy(larger, 0, 0, this.#at);
      this.#room = larger;
      this.#tell();
    }
    return this.#room;
  }
}
