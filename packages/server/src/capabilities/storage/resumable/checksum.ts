import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { resumableProblems } from "./problems.ts";

/** What the bytes of a request are to add up to. */
export interface Checksum {
  readonly algorithm: Algorithm;
  readonly expected: Buffer;
}

type Algorithm = "sha1" | "sha256" | "md5" | "crc32";
const lengths: Readonly<Record<Algorithm, number>> = { sha1: 20, sha256: 32, md5: 16, crc32: 4 };
export const checksumAlgorithms = Object.keys(lengths) as readonly Algorithm[];

/** `Upload-Checksum: sha1 <base64>` (TUS 1.0.0, checksum); `null` when there is none. @throws Problem `InvalidChecksum` */
export function checksumOf(header: string | readonly string[] | undefined): Checksum | null {
  if (header === undefined) return null;
  const match = /^([a-z0-9]+) ([A-Za-z0-9+/]+={0,2})$/.exec(String(header));
  const algorithm = checksumAlgorithms.find((known) => known === match?.[1]);
  const expected = Buffer.from(match?.[2] ?? "", "base64");
  if (algorithm === undefined || expected.length !== lengths[algorithm]) {
    throw resumableProblems.unknownChecksum(checksumAlgorithms);
  }
  return { algorithm, expected };
}

/** The same bytes; fails at their end, with `ChecksumMismatch`, when they are others than announced. */
export async function* verified(
  source: AsyncIterable<Uint8Array>,
  { algorithm, expected }: Checksum,
): AsyncIterable<Uint8Array> {
  const sum = summing(algorithm);
  for await (const chunk of source) {
    sum.add(chunk);
    yield chunk;
  }
  if (!sum.end().equals(expected)) throw resumableProblems.checksumMismatch();
}

function summing(algorithm: Algorithm): { add(chunk: Uint8Array): void; end(): Buffer } {
  if (algorithm !== "crc32") {
    const hash = createHash(algorithm);
    return { add: (chunk) => void hash.update(chunk), end: () => hash.digest() };
  }
  let value = 0;
  return {
    add(chunk) {
      value = crc32(chunk, value);
    },
    end() {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(value);
      return bytes;
    },
  };
}
