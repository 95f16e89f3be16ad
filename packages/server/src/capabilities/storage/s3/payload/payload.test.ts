import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { signingKey } from "../signature/signing.ts";
import type { Verified } from "../signature/verify.ts";
import { checksumNames, openChecksum } from "./checksums.ts";
import { combineCrcs } from "./crc.ts";
import { openPayload } from "./payload.ts";

const scope = { day: "20130524", region: "us-east-1", service: "s3" };
const verifiedBy = (signature: string): Verified => ({
  key: signingKey("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", scope),
  scope,
  time: "20130524T000000Z",
  signature,
});
const unsigned = verifiedBy("0".repeat(64));

async function* inPieces(body: Buffer, ...ends: readonly number[]): AsyncIterable<Buffer> {
  let from = 0;
  for (const end of [...ends, body.length]) {
    yield body.subarray(from, end);
    from = end;
  }
}

interface Given {
  readonly hash: string;
  readonly headers?: Record<string, string>;
  readonly verified?: Verified;
}

async function read(pieces: AsyncIterable<Buffer>, { hash, headers = {}, verified = unsigned }: Given) {
  const payload = openPayload({ headers, stream: () => pieces }, hash, verified);
  const chunks: Buffer[] = [];
  for await (const chunk of payload.source) chunks.push(Buffer.from(chunk));
  return { bytes: Buffer.concat(chunks), checksum: payload.checksum() };
}

const refusal = (code: string) => expect.objectContaining({ code });

/** The examples of the Amazon S3 API reference: 66,560 letters in chunks of 64 KB, without and with a trailer. */
const letters = Buffer.alloc(66_560, "a");
const signedBody = (first: string, second: string, last: string, trailer: string) =>
  Buffer.concat([
    Buffer.from(`10000;chunk-signature=${first}\r\n`),
    letters.subarray(0, 65_536),
    Buffer.from(`\r\n400;chunk-signature=${second}\r\n`),
    letters.subarray(65_536),
    Buffer.from(`\r\n0;chunk-signature=${last}\r\n${trailer}\r\n`),
  ]);
const plain = {
  body: signedBody(
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    "",
  ),
  hash: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
  headers: { "x-amz-decoded-content-length": "66560" },
  verified: verifiedBy("4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"),
};
const withTrailer = {
  body: signedBody(
    "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
    "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
    "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    "x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n",
  ),
  hash: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
  headers: { "x-amz-decoded-content-length": "66560", "x-amz-trailer": "x-amz-checksum-crc32c" },
  verified: verifiedBy("106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"),
};

describe.each([
  ["signed chunks", plain],
  ["signed chunks with a trailer", withTrailer],
])("Amazon S3's example of %s", (_name, example) => {
  test("is read", async () => {
    const { bytes, checksum } = await read(inPieces(example.body), example);
    expect(bytes.equals(letters)).toBe(true);
    expect(checksum?.digest.toString("base64")).toBe(example === withTrailer ? "sOO8/Q==" : undefined);
  });

  test("is read however it is cut", async () => {
    const { body } = example;
    // Within the data one place is as good as another.
    const isNearLine = (at: number) => at < 120 || (at > 65_600 && at < 65_740) || at > body.length - 340;
    const near = [...Array(body.length).keys()].filter(isNearLine);
    for (const at of near) {
      const { bytes } = await read(inPieces(body, at), example);
      expect(bytes.length, `cut at ${at}`).toBe(letters.length);
    }
    const tail = body.length - 300;
    const { bytes } = await read(inPieces(body, ...Array.from({ length: 300 }, (_, at) => tail + at)), example);
    expect(bytes.equals(letters)).toBe(true);
  });

  test("is refused with any byte changed, and at any end before its own", async () => {
    const { body } = example;
    for (let at = 0; at < body.length; at += at < 100 || at > body.length - 330 ? 1 : 4_099) {
      const changed = Buffer.from(body);
      changed[at] = changed[at]! ^ 1;
      // The coding itself leaves some freedom: what follows must be the same bytes, or a refusal.
      const bytes = await read(inPieces(changed), example).then(
        ({ bytes }) => bytes,
        () => null,
      );
      if (bytes !== null) expect(bytes.equals(letters), `changed at ${at}`).toBe(true);
    }
    for (let end = 0; end < body.length; end += end < 100 || end > body.length - 330 ? 1 : 4_099) {
      await expect(read(inPieces(body.subarray(0, end)), example), `ended at ${end}`).rejects.toMatchObject({
        status: expect.any(Number),
      });
    }
    await expect(read(inPieces(Buffer.concat([body, Buffer.from("x")])), example)).rejects.toThrow("follows its end");
  });

  test("is refused when a chunk is left out, and when it is signed by another request", async () => {
    const { body } = example;
    const second = body.indexOf("\r\n400;") + 2;
    const last = body.indexOf("\r\n0;chunk") + 2;
    const without = Buffer.concat([body.subarray(0, second), body.subarray(last)]);
    await expect(read(inPieces(without), example)).rejects.toThrow(refusal("SignatureDoesNotMatch"));
    await expect(read(inPieces(body), { ...example, verified: unsigned })).rejects.toThrow(
      refusal("SignatureDoesNotMatch"),
    );
  });
});

describe("chunks without signatures", () => {
  const text = Buffer.from("one, two, and three: bytes of a small file");
  const coded = (name: string, value: string, sizes = [10, 1, text.length - 11]) => {
    let from = 0;
    const chunks = sizes.map((size) => {
      const data = text.subarray(from, from + size).toString("latin1");
      from += size;
      return `${size.toString(16)}\r\n${data}\r\n`;
    });
    return Buffer.from(`${chunks.join("")}0\r\n${name}:${value}\r\n\r\n`, "latin1");
  };
  const options = (name: string): Given => ({
    hash: "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    headers: { "x-amz-decoded-content-length": String(text.length), "x-amz-trailer": name },
  });

  test.each(checksumNames)("with %s, cut at every byte", async (name) => {
    const sum = openChecksum(name);
    sum.update(text);
    const digest = sum.digest();
    const header = `x-amz-checksum-${name}`;
    const body = coded(header, digest.toString("base64"));
    for (let at = 0; at <= body.length; at++) {
      const { bytes, checksum } = await read(inPieces(body, at), options(header));
      expect(bytes.toString()).toBe(text.toString());
      expect(checksum).toEqual({ name, digest });
    }
    const bytewise = Array.from({ length: body.length }, (_, at) => at);
    expect((await read(inPieces(body, ...bytewise), options(header))).bytes.toString()).toBe(text.toString());
    const other = Buffer.from(digest);
    other[0] = other[0]! ^ 1;
    await expect(read(inPieces(coded(header, other.toString("base64"))), options(header))).rejects.toThrow(
      refusal("BadDigest"),
    );
    await expect(read(inPieces(coded(header, "AAAA")), options(header))).rejects.toThrow(refusal("InvalidDigest"));
    await expect(read(inPieces(coded("x-other", "1")), options(header))).rejects.toThrow(refusal("IncompleteBody"));
  });

  test.each([
    ["more bytes than announced", `2b\r\n${"x".repeat(43)}\r\n0\r\n\r\n`],
    ["fewer bytes than announced", "2\r\nxx\r\n0\r\n\r\n"],
    ["a size that is none", "zz\r\n"],
    ["a negative size", "-2\r\nxx\r\n"],
    ["an endless size", `${"1".repeat(40)}\r\n`],
    ["an endless line", "a".repeat(5_000)],
    ["data longer than its size", "2\r\nxxx\r\n0\r\n\r\n"],
    ["a signature nobody asked for", `2;chunk-signature=${"0".repeat(64)}\r\nxx\r\n0\r\n\r\n`],
    ["a hundred trailers", `0\r\n${"a:b\r\n".repeat(100)}\r\n`],
    ["a trailer without a name", "0\r\nabc\r\n\r\n"],
    ["nothing", ""],
  ])("are refused with %s", async (_what, body) => {
    await expect(read(inPieces(Buffer.from(body)), options("x-amz-checksum-crc32"))).rejects.toThrow(
      refusal("IncompleteBody"),
    );
  });
});

describe("a body as it is", () => {
  const body = Buffer.from("hello");
  const hash = createHash("sha256").update(body).digest("hex");
  const md5 = createHash("md5").update(body).digest("base64");

  test("is held against its hash, its MD5, its checksum and its length", async () => {
    const crc = Buffer.alloc(4);
    crc.writeUInt32BE(crc32(body));
    const headers = { "content-md5": md5, "content-length": "5", "x-amz-checksum-crc32": crc.toString("base64") };
    const { checksum } = await read(inPieces(body, 2), { hash, headers });
    expect(checksum).toEqual({ name: "crc32", digest: crc });
    const other = Buffer.from("hellO");
    await expect(read(inPieces(other), { hash })).rejects.toThrow(refusal("XAmzContentSHA256Mismatch"));
    for (const name of ["content-md5", "x-amz-checksum-crc32"] as const) {
      const only = { [name]: headers[name] };
      await expect(read(inPieces(other), { hash: "UNSIGNED-PAYLOAD", headers: only })).rejects.toThrow(
        refusal("BadDigest"),
      );
    }
    await expect(read(inPieces(body), { hash, headers: { "content-length": "6" } })).rejects.toThrow(
      refusal("IncompleteBody"),
    );
  });

  test.each([
    ["an MD5 that is none", "UNSIGNED-PAYLOAD", { "content-md5": "abc" }, "InvalidDigest"],
    [
      "two checksums",
      "UNSIGNED-PAYLOAD",
      { "x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-crc32c": "AAAAAA==" },
      "InvalidRequest",
    ],
    ["a hash that is none", "abc", {}, "InvalidArgument"],
    ["another way of signing", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", {}, "NotImplemented"],
    ["chunks of unknown length", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", {}, "MissingContentLength"],
    [
      "a length that is none",
      "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
      { "x-amz-decoded-content-length": "1e9" },
      "InvalidArgument",
    ],
    [
      "a trailer of no use",
      "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
      { "x-amz-decoded-content-length": "1", "x-amz-trailer": "x-amz-checksum-xxhash" },
      "InvalidRequest",
    ],
  ])("is refused with %s", (_what, given, headers, code) => {
    expect(() => openPayload({ headers, stream: () => inPieces(body) }, given, unsigned)).toThrow(refusal(code));
  });
});

describe("checksums", () => {
  test.each([
    ["crc32", "cbf43926"],
    ["crc32c", "e3069283"],
    ["crc64nvme", "ae8b14860a799888"],
  ] as const)("%s has its check value, and that of the whole follows from those of parts", (name, check) => {
    const ofText = (text: string) => {
      const sum = openChecksum(name);
      sum.update(Buffer.from(text));
      return sum.digest();
    };
    expect(ofText("123456789").toString("hex")).toBe(check);
    const parts = ["1", "2345", "", "6789"].map((text) => ({ digest: ofText(text), sizeBytes: text.length }));
    expect(combineCrcs(name, parts).toString("hex")).toBe(check);
  });
});
