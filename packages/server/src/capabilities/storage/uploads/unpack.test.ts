import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { headBytes } from "./sniff.ts";
import { beginningOf } from "./unpack.ts";

/** Text that hardly packs, so that its first bytes are not all of it. */
const long = Buffer.from(Array.from({ length: 20_000 }, (_, at) => ((at * 7_919) % 104_729).toString(36)).join(""));

describe("the beginning of a packed file", () => {
  test.each([
    ["gzip", gzipSync(long)],
    ["x-gzip", gzipSync(long)],
    ["deflate", deflateSync(long)],
    ["br", brotliCompressSync(long)],
  ])("%s, cut off where the first bytes end", async (coding, packed) => {
    expect(packed.length).toBeGreaterThan(headBytes);
    const begun = await beginningOf(coding, packed.subarray(0, headBytes));
    expect(begun?.length).toBeGreaterThan(1_000);
    expect(long.subarray(0, begun?.length).equals(begun ?? Buffer.alloc(0))).toBe(true);
  });

  test("all of a short one", async () => {
    expect((await beginningOf("gzip", gzipSync("short")))?.toString()).toBe("short");
    expect((await beginningOf(null, Buffer.from("plain")))?.toString()).toBe("plain");
  });

  test("S06: none of a bomb, and none of what is packed otherwise or not at all", async () => {
    const bomb = brotliCompressSync(Buffer.alloc(200_000_000)).subarray(0, headBytes);
    expect(await beginningOf("br", bomb)).toBeNull();
    expect(await beginningOf("gzip", Buffer.from("not packed"))).toBeNull();
    expect(await beginningOf("gzip, gzip", gzipSync(gzipSync("x")))).toBeNull();
    expect(await beginningOf("compress", Buffer.from("x"))).toBeNull();
  });
});
