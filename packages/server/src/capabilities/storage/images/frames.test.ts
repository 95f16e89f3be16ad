import { describe, expect, test } from "vitest";
import { type Frame, FrameReader, frameStart } from "./frames.ts";

const read = (chunks: readonly Buffer[], mostBytes = 1_000): Frame[] => {
  const frames: Frame[] = [];
  const reader = new FrameReader(mostBytes, (frame) => frames.push(frame));
  for (const chunk of chunks) reader.push(chunk);
  return frames;
};

describe("messages through a pipe", () => {
  const bytes = Buffer.concat([
    frameStart({ kind: "one" }, 5),
    Buffer.from("12345"),
    frameStart({ kind: "empty" }, 0),
    frameStart({ kind: "öß" }, 3),
    Buffer.from("abc"),
  ]);
  const expected = [
    { head: { kind: "one" }, body: Buffer.from("12345") },
    { head: { kind: "empty" }, body: Buffer.alloc(0) },
    { head: { kind: "öß" }, body: Buffer.from("abc") },
  ];

  test("are whole however they are cut", () => {
    for (let size = 1; size <= bytes.length; size++) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
        bytes.subarray(at * size, (at + 1) * size),
      );
      expect(read(chunks), `pieces of ${size}`).toEqual(expected);
    }
  });

  test("are not there before their last byte", () => {
    expect(read([bytes.subarray(0, bytes.length - 1)])).toHaveLength(2);
  });

  test("that are too large are refused before room is made", () => {
    expect(() => read([frameStart({}, 1_001)])).toThrow(/larger/);
    expect(() => read([Buffer.from("ffffffff00000000", "hex")])).toThrow(/larger/);
  });
});
