import { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate } from "node:zlib";
import type { Problem } from "../../kernel/problem.ts";
import { problems } from "./problems.ts";

/** Memory that bodies may take, shared by all requests. */
export class BodyMemory {
  #usedBytes = 0;
  readonly #limitBytes: number;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** False, and nothing taken, when there is not enough left. */
  take(bytes: number): boolean {
    if (this.#usedBytes + bytes > this.#limitBytes) return false;
    this.#usedBytes += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}

/**
 * What a sink says to the bytes it got: go on; stop the socket until `deliverMore` (what was read from it already is delivered all
 * the same); or deliver no more and leave the rest unread.
 */
export type Appetite = "more" | "later" | "enough";

/** What becomes of a body while it comes. Exactly one of `onEnd` and `onGone` is called, once, unless the sink had enough before. */
export interface BodySink {
  onChunk(chunk: Buffer): Appetite;
  onEnd(): void;
  /** The caller has left before the end. */
  onGone(): void;
}

/**
 * A request whose body goes from the HTTP parser to its reader directly. Node gives the parser a `Readable` to push into, and
 * for the small bodies an app sends its buffering, its ticks and its events cost more than everything we do with the bytes.
 * Nobody asks for the body: then it is the stream it always was.
 */
export class Request extends IncomingMessage {
  #sink: BodySink | null = null;

  /** Delivers the body from its beginning. Called at most once, before anything else reads it. */
  deliverTo(sink: BodySink): void {
    if (this.destroyed && !this.complete) return sink.onGone();
    // What came before somebody asked is in the stream. Taking it out starts the socket again should it have been stopped.
    let appetite: Appetite = "more";
    for (let chunk: Buffer | null = this.read(); chunk !== null; chunk = this.read()) {
      appetite = sink.onChunk(chunk);
      if (appetite === "enough") return;
    }
    if (this.complete) return sink.onEnd();
    this.#sink = sink;
    if (appetite === "later") this.socket.pause();
  }

  /** Starts the socket again after a sink said `later`. */
  deliverMore(): void {
    if (this.#sink !== null) this._read(0);
  }

  /** Takes the sink away: what comes from now on is in the stream, for whoever drops it. */
  deliverNoMore(): void {
    this.#sink = null;
  }

  /** The parser's way in: a chunk, or `null` at the end. False stops the socket. */
  override push(chunk: Buffer | null, encoding?: BufferEncoding): boolean {
    const sink = this.#sink;
    if (sink === null) return super.push(chunk, encoding);
    if (chunk === null) {
      this.#sink = null;
      sink.onEnd();
      return false;
    }
    const appetite = sink.onChunk(chunk);
    if (appetite === "enough") this.#sink = null;
    return appetite === "more";
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const sink = this.#sink;
    this.#sink = null;
    super._destroy(error, callback);
    sink?.onGone();
  }
}

export interface Intake {
  readonly limitBytes: number;
  /** Counts bytes against everybody's memory; false when it is used up. */
  take(bytes: number): boolean;
  /** Called once, whatever comes of it, before the promise settles. */
  onSettled(): void;
}

/**
 * Collects a body as it was sent. Rejects with 413 as soon as it exceeds the limit, 503 when bodies of all requests
 * together take too much memory, 400 when the caller leaves before its end. Afterwards the rest is left unread.
 */
export function receive(request: Request, { limitBytes, take, onSettled }: Intake): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    const fail = (problem: Problem): Appetite => {
      onSettled();
      reject(problem);
      return "enough";
    };
    request.deliverTo({
      onChunk(chunk) {
        sizeBytes += chunk.length;
        if (sizeBytes > limitBytes) return fail(problems.bodyTooLarge(limitBytes));
        if (!take(chunk.length)) return fail(problems.busy());
        chunks.push(chunk);
        return "more";
      },
      onEnd() {
        onSettled();
        resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, sizeBytes));
      },
      onGone: () => void fail(problems.bodyIncomplete()),
    });
  });
}

type Decode = (bytes: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>;

const decoders: ReadonlyMap<string, Decode> = new Map([
  ["gzip", promisify(gunzip) as Decode],
  ["x-gzip", promisify(gunzip) as Decode],
  ["deflate", promisify(inflate) as Decode],
  ["br", promisify(brotliDecompress) as Decode],
]);

/**
 * The way to undo a `Content-Encoding`; `null` when there is nothing to undo. Mobile SDKs compress batches of events and
 * crash reports, so gzip, deflate and brotli are read, one of them at a time: stacked codings are only ever an attack.
 * Throws the 415 Problem for any other, before a byte of the body is read.
 */
export function decoderFor(encoding: string | undefined): Decode | null {
  if (encoding === undefined || encoding === "") return null;
  const name = encoding.trim().toLowerCase();
  if (name === "identity") return null;
  const decode = decoders.get(name);
  if (decode === undefined) throw problems.bodyEncoding();
  return decode;
}

/** Decompresses off the event loop. The limit holds for what comes out too: 1 MB of gzip can be 1 GB of zeros. */
export async function decodeBody(bytes: Buffer, decode: Decode, limitBytes: number): Promise<Buffer> {
  try {
    return await decode(bytes, { maxOutputLength: Math.max(1, limitBytes) });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") throw problems.bodyTooLarge(limitBytes);
    throw problems.bodyNotDecodable(error);
  }
}
