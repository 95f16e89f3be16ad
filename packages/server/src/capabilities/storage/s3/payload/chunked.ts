import { createHash, type Hash } from "node:crypto";
import { problems } from "../problems.ts";
import type { ChunkSigner } from "./chunk-signer.ts";

/** Longest line of the coding: a size and a signature, or a trailer. In bytes. */
const maxLineBytes = 1_024;
/** Most trailers: a checksum and a signature, and room for more to come. */
const maxTrailers = 8;

export interface ChunkedOptions {
  /** `null` where chunks are not signed. */
  readonly signer: ChunkSigner | null;
  /** Whether something may follow the last chunk. */
  readonly hasTrailer: boolean;
  /** Told each trailer, verified, before the last byte is given. */
  onTrailer(name: string, value: string): void;
}

type State = "size" | "data" | "after-data" | "trailer" | "end";

const malformed = (what: string) => problems.incompleteBody(`The aws-chunked body is malformed: ${what}.`);

/**
 * Undoes `aws-chunked` (Amazon S3 API reference, transferring payload in multiple chunks): sizes in hex, each with a signature that goes on from the
 * one before. Bytes are given as they come; a chunk whose signature is wrong fails after them, so whoever takes them must not show them before the
 * end. Memory is bounded by one line.
 * @throws Problem `SignatureDoesNotMatch`, `IncompleteBody`
 */
export async function* decodeChunked(
  source: AsyncIterable<Uint8Array>,
  { signer, hasTrailer, onTrailer }: ChunkedOptions,
): AsyncIterable<Buffer> {
  let state = "size" as State;
  let line = "";
  let leftBytes = 0;
  let signature = null as string | null;
  let hash = null as Hash | null;
  const trailers: string[] = [];

  const onSize = (text: string): void => {
    const [, size, given] = /^([0-9a-fA-F]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(text) ?? [];
    if (size === undefined) throw malformed("a size was expected");
    if ((signer !== null) !== (given !== undefined)) throw malformed("a chunk's signature is missing, or not expected");
    leftBytes = Number.parseInt(size, 16);
    signature = given ?? null;
    hash = signer === null ? null : createHash("sha256");
    state = leftBytes === 0 ? "trailer" : "data";
    if (leftBytes === 0) endChunk();
  };
  const endChunk = (): void => {
    if (signer !== null && hash !== null) signer.chunk(signature ?? "", hash.digest("hex"));
    hash = null;
  };
  const onTrailerLine = (text: string): void => {
    if (text !== "") {
      if (!hasTrailer) throw malformed("nothing may follow the last chunk");
      if (trailers.push(text) > maxTrailers) throw malformed("too many trailers");
      return;
    }
    state = "end";
    endTrailers(trailers, signer, hasTrailer, onTrailer);
  };

  for await (const chunk of source) {
    let at = 0;
    while (at < chunk.length) {
      if (state === "end") throw malformed("something follows its end");
      if (state === "data") {
        const piece = Buffer.from(chunk.buffer, chunk.byteOffset + at, Math.min(leftBytes, chunk.length - at));
        at += piece.length;
        leftBytes -= piece.length;
        hash?.update(piece);
        yield piece;
        if (leftBytes > 0) continue;
        endChunk();
        state = "after-data";
        continue;
      }
      const end = chunk.indexOf(10, at);
      const until = end === -1 ? chunk.length : end;
      if (line.length + until - at > maxLineBytes) throw malformed("a line is too long");
      line += Buffer.from(chunk.buffer, chunk.byteOffset + at, until - at).toString("latin1");
      at = until + 1;
      if (end === -1) break;
      const text = line.endsWith("\r") ? line.slice(0, -1) : line;
      line = "";
      if (state === "size") onSize(text);
      else if (state === "trailer") onTrailerLine(text);
      else if (text === "") state = "size";
      else throw malformed("a chunk is longer than its size");
    }
  }
  if (state !== "end") throw problems.incompleteBody();
}

const signatureName = "x-amz-trailer-signature";

/** Trailers are signed as `name:value\n`, in the order they came. */
function endTrailers(
  lines: readonly string[],
  signer: ChunkSigner | null,
  hasTrailer: boolean,
  onTrailer: (name: string, value: string) => void,
): void {
  const pairs = lines.map((text) => {
    const at = text.indexOf(":");
    if (at < 1) throw malformed("a trailer has no name");
    return [text.slice(0, at).trim().toLowerCase(), text.slice(at + 1).trim()] as const;
  });
  const signed = pairs.filter(([name]) => name !== signatureName);
  if (signer !== null && hasTrailer) {
    const signatures = pairs.filter(([name]) => name === signatureName);
    if (signatures.length !== 1) throw malformed("the trailers are not signed");
    signer.trailer(signatures[0]![1], signed.map(([name, value]) => `${name}:${value}\n`).join(""));
  }
  for (const [name, value] of signed) onTrailer(name, value);
}
