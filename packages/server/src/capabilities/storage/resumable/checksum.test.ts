import { describe, expect, test } from "vitest";
import { checksumAlgorithms, checksumOf, verified } from "./checksum.ts";

/** Of "hello world", by sha1sum, sha256sum, md5sum and crc32 of other tools. */
const sums = {
  sha1: "2aae6c35c94fcfb415dbe95f408b9ce91ee846ed",
  sha256: "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9",
  md5: "5eb63bbbe01eeed093cb22bb8f5acdc3",
  crc32: "0d4a1185",
} as const;
const header = (algorithm: keyof typeof sums): string =>
  `${algorithm} ${Buffer.from(sums[algorithm], "hex").toString("base64")}`;

async function* chunks(...texts: readonly string[]): AsyncIterable<Buffer> {
  for (const text of texts) yield Buffer.from(text);
}
async function read(source: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const chunk of source) parts.push(chunk);
  return Buffer.concat(parts).toString();
}

describe.each(checksumAlgorithms)("a checksum by %s", (algorithm) => {
  test("lets bytes through that are as announced, however they are cut", async () => {
    const checksum = checksumOf(header(algorithm))!;
    expect(await read(verified(chunks("hello world"), checksum))).toBe("hello world");
    expect(await read(verified(chunks("h", "ello ", "", "world"), checksum))).toBe("hello world");
  });

  test("fails at the end of others", async () => {
    const checksum = checksumOf(header(algorithm))!;
    for (const source of [chunks("hello worle"), chunks("hello worl"), chunks()]) {
      await expect(read(verified(source, checksum))).rejects.toMatchObject({ code: "ChecksumMismatch", status: 460 });
    }
  });
});

test("no checksum is none", () => {
  expect(checksumOf(undefined)).toBeNull();
});

test.each(["", "sha1", "sha1 ", "sha512 AAAA", "sha1 AAAA", "md5 !!!!", `SHA1 ${header("sha1").slice(5)}`])(
  "is refused: %j",
  (text) => {
    expect(() => checksumOf(text)).toThrow(expect.objectContaining({ code: "InvalidChecksum", status: 400 }));
  },
);
