import type { Duplex } from "node:stream";
import { JoinedFrames } from "./joined-frames.ts";

/** What is handed to the kernel at once: larger messages go alone, smaller ones together. */
const writeBytes = 65_536;

/** Calls those that have something to write once, after everything that happens in this turn of the event loop. */
export class Flusher {
  /** What is written in one go. */
  readonly joined = new JoinedFrames();
  #waiting: Outbox[] = [];

  add(outbox: Outbox): void {
    if (this.#waiting.length === 0) setImmediate(this.#flush);
    this.#waiting.push(outbox);
  }

  readonly #flush = (): void => {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const outbox of waiting) outbox.flush();
    this.joined.forget();
  };
}

/**
 * What waits to be sent on one socket: whole frames, each shared with all the other sockets it goes to. They are given to the kernel only
 * as fast as it takes them, and the stream in between holds one write at most: so what waits is known to the byte, costs a pointer per
 * message beside the shared bytes, and can be dropped between two frames when the reader is too slow (threat R11).
 */
export class Outbox {
  readonly #stream: Duplex;
  readonly #limitBytes: number;
  readonly #flusher: Flusher;
  readonly #isOpen: () => boolean;
  #frames: Buffer[] = [];
  /** Of `#frames`; what the stream holds is known to the stream. */
  #bytes = 0;
  /** Of ours, not called back yet. A write that the kernel took at once is called back later all the same. */
  #writes = 0;
  #isScheduled = false;

  constructor(needs: {
    readonly stream: Duplex;
    readonly limitBytes: number;
    readonly flusher: Flusher;
    /** Whether data may still be sent: nothing may follow a close frame (RFC 6455 §5.5.1). */
    readonly isOpen: () => boolean;
  }) {
    this.#stream = needs.stream;
    this.#limitBytes = needs.limitBytes;
    this.#flusher = needs.flusher;
    this.#isOpen = needs.isOpen;
  }

  /** Bytes the kernel has not taken yet. */
  get queuedBytes(): number {
    return this.#bytes + this.#stream.writableLength;
  }

  /**
   * @returns false when the reader is too slow: more than the limit waits already, and the kernel takes none of it. One message may go
   * beyond the limit, so that there is none which could never be sent.
   */
  add(frame: Buffer): boolean {
    if (this.queuedBytes > this.#limitBytes) {
      // Much was sent within one turn: that alone says nothing about the reader.
      this.flush();
      if (this.queuedBytes > this.#limitBytes) return false;
    }
    this.#frames.push(frame);
    this.#bytes += frame.length;
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      this.#flusher.add(this);
    }
    return true;
  }

  /** Writes as much as the kernel takes. What is left goes when it takes more. */
  readonly flush = (): void => {
    this.#isScheduled = false;
    let from = 0;
    while (from < this.#frames.length && this.#isReady()) {
      let bytes = this.#frames[from]!.length;
      let to = from + 1;
      for (; to < this.#frames.length && bytes + this.#frames[to]!.length <= writeBytes; to++) {
        bytes += this.#frames[to]!.length;
      }
      const chunk = this.#flusher.joined.of(this.#frames, from, to, bytes);
      this.#bytes -= bytes;
      this.#writes += 1;
      this.#stream.write(chunk, this.#onWritten);
      from = to;
    }
    if (from === this.#frames.length) this.#frames.length = 0;
    else this.#frames.splice(0, from);
  };

  /** Control frames are written by others, who do not call us back: with none of ours on its way, one goes behind them. */
  #isReady(): boolean {
    return this.#isOpen() && (this.#stream.writableLength === 0 || this.#writes === 0);
  }

  readonly #onWritten = (): void => {
    this.#writes -= 1;
    if (this.#frames.length > 0) this.flush();
  };

  /** Gives the stream all that waits: nothing is added any more, and what follows is the goodbye. */
  finish(): void {
    const frames = this.#frames;
    this.drop();
    if (frames.length > 0 && this.#isOpen()) this.#stream.write(Buffer.concat(frames));
  }

  drop(): void {
    this.#frames = [];
    this.#bytes = 0;
  }
}
