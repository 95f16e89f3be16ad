import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate } from "node:zlib";
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

export interface Intake {
  readonly request: IncomingMessage;
  readonly limitBytes: number;
  /** Counts bytes against everybody's memory; false when it is used up. */
  take(bytes: number): boolean;
}

/**
 * Collects a body as it was sent. Rejects with 413 as soon as it exceeds the limit, 503 when bodies of all requests
 * together take too much memory, 400 when the caller leaves before its end. Afterwards the rest is left unread.
 */
export function receive({ request, limitBytes, take }: Intake): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    const onData = (chunk: Buffer) => {
      sizeBytes += chunk.length;
      if (sizeBytes > limitBytes) settle(() => reject(problems.bodyTooLarge(limitBytes)));
      else if (!take(chunk.length)) settle(() => reject(problems.busy()));
      else chunks.push(chunk);
    };
    const onEnd = () => settle(() => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, sizeBytes)));
    const onGone = () => settle(() => reject(problems.bodyIncomplete()));
    const settle = (settleNow: () => void) => {
      request.off("data", onData).off("end", onEnd).off("close", onGone);
      request.pause();
      settleNow();
    };
    // An aborted upload is an "error" event first; it must have a listener for as long as the request lives.
    request.on("data", onData).on("end", onEnd).on("close", onGone).on("error", onGone);
    if (request.destroyed && !request.readableEnded) onGone();
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
