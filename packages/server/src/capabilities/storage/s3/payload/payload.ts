import { createHash } from "node:crypto";
import type { Call } from "../../../../kernel/route.ts";
import { problems } from "../problems.ts";
import type { Verified } from "../signature/verify.ts";
import {
  type Checksum,
  type ChecksumName,
  checksumNamed,
  checksumOf,
  headerOf,
  openChecksum,
  readChecksum,
} from "./checksums.ts";
import { createChunkSigner } from "./chunk-signer.ts";
import { decodeChunked } from "./chunked.ts";

/** The body of a request, without the coding and the proofs it came with. */
export interface Payload {
  /** Fails at its end when the bytes are not those that were signed or announced: show nothing before. Read once. */
  readonly source: AsyncIterable<Buffer>;
  /** As announced; `null` where it was not. */
  readonly sizeBytes: number | null;
  /** The checksum that was given and has turned out right, after the end; `null` before it, and where none was given. */
  checksum(): Checksum | null;
}

/** How a body is signed, by `x-amz-content-sha256` (Amazon S3 API reference, Authorization header). */
const streaming: Readonly<Record<string, { readonly isSigned: boolean; readonly hasTrailer: boolean }>> = {
  "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": { isSigned: true, hasTrailer: false },
  "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": { isSigned: true, hasTrailer: true },
  "STREAMING-UNSIGNED-PAYLOAD-TRAILER": { isSigned: false, hasTrailer: true },
};

/** @throws Problem for announcements that cannot be believed */
export function openPayload(call: Pick<Call, "headers" | "stream">, payloadHash: string, verified: Verified): Payload {
  const { headers } = call;
  const form = streaming[payloadHash];
  const isPlain = payloadHash === "UNSIGNED-PAYLOAD" || /^[0-9a-f]{64}$/.test(payloadHash);
  if (form === undefined && !isPlain) {
    if (payloadHash.startsWith("STREAMING-")) throw problems.notImplemented(payloadHash);
    throw problems.invalidArgument(
      "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-…, or a valid sha256 value.",
    );
  }
  const decoded = headers["x-amz-decoded-content-length"];
  if (form !== undefined && decoded === undefined) throw problems.missingContentLength();
  const sizeBytes = sizeOf(form === undefined ? headers["content-length"] : decoded);
  const trailerName = form?.hasTrailer ? trailerOf(headers["x-amz-trailer"]) : null;
  const given = checksumOf(headers);
  if (given !== null && trailerName !== null)
    throw problems.invalidRequest("Expecting a single x-amz-checksum- header.");
  const md5 = headers["content-md5"] === undefined ? null : readChecksum("md5", String(headers["content-md5"]));

  let trailer: Buffer | null = null;
  const raw =
    form === undefined
      ? call.stream()
      : decodeChunked(call.stream(), {
          signer: form.isSigned ? createChunkSigner(verified) : null,
          hasTrailer: form.hasTrailer,
          onTrailer(name, value) {
            if (trailerName === null || name !== headerOf(trailerName)) return;
            trailer = readChecksum(trailerName, value);
          },
        });
  const name = given?.name ?? trailerName;
  let right: Checksum | null = null;

  async function* checked(): AsyncIterable<Buffer> {
    const sha256 = form === undefined && payloadHash !== "UNSIGNED-PAYLOAD" ? createHash("sha256") : null;
    const ofMd5 = md5 === null ? null : openChecksum("md5");
    const sum = name === null ? null : openChecksum(name);
    let bytes = 0;
    for await (const chunk of raw) {
      bytes += chunk.length;
      if (sizeBytes !== null && bytes > sizeBytes) throw problems.incompleteBody();
      sha256?.update(chunk);
      ofMd5?.update(chunk);
      sum?.update(chunk);
      yield chunk;
    }
    if (sizeBytes !== null && bytes !== sizeBytes) throw problems.incompleteBody();
    if (sha256 !== null && sha256.digest("hex") !== payloadHash) throw problems.contentSha256Mismatch();
    if (ofMd5 !== null && !ofMd5.digest().equals(md5!)) throw problems.badDigest("Content-MD5");
    if (name === null || sum === null) return;
    const wanted = given?.digest ?? trailer;
    const digest = sum.digest();
    if (wanted === null) throw problems.incompleteBody(`The trailer ${headerOf(name)} is missing.`);
    if (!digest.equals(wanted)) throw problems.badDigest(headerOf(name));
    right = { name, digest };
  }
  return { source: checked(), sizeBytes, checksum: () => right };
}

/** All of a body of at most so many bytes. @throws Problem `InvalidRequest` beyond them */
export async function readWhole({ source }: Payload, limitBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of source) {
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes) throw problems.invalidRequest(`The body must not be larger than ${limitBytes} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function sizeOf(text: string | string[] | undefined): number | null {
  if (text === undefined) return null;
  if (typeof text !== "string" || !/^\d{1,15}$/.test(text)) throw problems.invalidArgument("A length is not a number.");
  return Number(text);
}

function trailerOf(text: string | string[] | undefined): ChecksumName | null {
  if (text === undefined) return null;
  const name = checksumNamed(
    String(text)
      .trim()
      .toLowerCase()
      .replace(/^x-amz-checksum-/, ""),
  );
  if (name === null) throw problems.invalidRequest("The value specified in the x-amz-trailer header is not supported");
  return name;
}
