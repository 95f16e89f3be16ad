import { describe, expect, test } from "vitest";
import { byteRanges } from "./byteranges.ts";
import { rangesOf } from "./ranges.ts";

const of = (header: string, size = 100) => rangesOf(header, size)?.map(({ from, to }) => [from, to]) ?? null;

describe("ranges", () => {
  test.each([
    ["bytes=0-9", [[0, 10]]],
    ["bytes=90-", [[90, 100]]],
    ["bytes=90-1000", [[90, 100]]],
    ["bytes=-10", [[90, 100]]],
    ["bytes=-1000", [[0, 100]]],
    ["Bytes = 0-0", [[0, 1]]],
    [
      "bytes=0-9, 20-29 ,,-1",
      [
        [0, 10],
        [20, 30],
        [99, 100],
      ],
    ],
    ["bytes=0-9,200-", [[0, 10]]],
  ])("%s", (header, expected) => expect(of(header)).toEqual(expected));

  test("S09: what cannot be satisfied is said to be so", () => {
    for (const header of ["bytes=100-", "bytes=-0", "bytes=100-200,300-400", "bytes=999999999999999-"]) {
      expect(of(header)).toEqual([]);
    }
    expect(of("bytes=0-", 0)).toEqual([]);
    expect(of("bytes=-5", 0)).toEqual([]);
  });

  test("S09: what is no range, or too many, counts as not asked", () => {
    const many = (range: string, count: number) => `bytes=${Array.from({ length: count }, () => range).join(",")}`;
    for (const header of [
      "bytes=9-1",
      "bytes=",
      "bytes",
      "bytes=-",
      "bytes=a-b",
      "bytes=0x1-2",
      "bytes=1-2-3",
      "bytes=--1",
      "bytes=1.5-2",
      "items=0-9",
      "bytes=0-9;10-19",
      "bytes=99999999999999999999-",
      many("0-0", 1_000),
      many("", 1_000),
      many("0-99", 2),
      "bytes=0-,0-,0-",
    ]) {
      expect(of(header), header).toBeNull();
    }
  });

  test("several are sent with the length that is said", async () => {
    const bytes = Buffer.from("0123456789");
    const ranges = rangesOf("bytes=0-1,8-", bytes.length)!;
    const sent = byteRanges(
      ranges,
      { sizeBytes: bytes.length, contentType: "text/plain" },
      async function* ({ from, to }) {
        yield bytes.subarray(from, to);
      },
    );
    const chunks: Buffer[] = [];
    for await (const chunk of sent.body) chunks.push(chunk);
    const whole = Buffer.concat(chunks);
    expect(whole.length).toBe(sent.lengthBytes);
    const boundary = /boundary=(.+)$/.exec(sent.contentType)?.[1];
    expect(whole.toString()).toBe(
      `\r\n--${boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01` +
        `\r\n--${boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 8-9/10\r\n\r\n89\r\n--${boundary}--\r\n`,
    );
  });
});
