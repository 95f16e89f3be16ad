import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { JoinedFrames } from "./joined-frames.ts";

const [a, b, c] = ["first", "second", "third"].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer];

describe("frames that are written at once", () => {
  test("are in order, from one place to another", () => {
    const joined = new JoinedFrames();
    expect(joined.of([a, b, c], 0, 3, 16).toString()).toBe("firstsecondthird");
    expect(joined.of([a, b, c], 1, 3, 11).toString()).toBe("secondthird");
  });

  test("one alone is not copied", () => {
    expect(new JoinedFrames().of([a, b], 1, 2, 6)).toBe(b);
  });

  test("the same ones are joined once, wherever they stand", () => {
    const joined = new JoinedFrames();
    const chunk = joined.of([a, b], 0, 2, 11);
    expect(joined.of([c, a, b], 1, 3, 11)).toBe(chunk);
  });

  test("others are never taken for them", () => {
    const joined = new JoinedFrames();
    joined.of([a, b], 0, 2, 11);
    expect(joined.of([a, c], 0, 2, 10).toString()).toBe("firstthird");
    expect(joined.of([a, c, b], 0, 3, 16).toString()).toBe("firstthirdsecond");
    expect(joined.of([a, Buffer.from("third")], 0, 2, 10).toString()).toBe("firstthird");
  });

  test("are not kept", () => {
    const joined = new JoinedFrames();
    const chunk = joined.of([a, b], 0, 2, 11);
    joined.forget();
    expect(joined.of([a, b], 0, 2, 11)).not.toBe(chunk);
  });

  test("are not kept beyond the turn, when nobody says that it is over", async () => {
    const joined = new JoinedFrames();
    const chunk = joined.of([a, b], 0, 2, 11);
    expect(joined.of([a, b], 0, 2, 11)).toBe(chunk);
    await nextTurn();
    expect(joined.of([a, b], 0, 2, 11)).not.toBe(chunk);
  });

  test("R11 are shared also where they fill several buffers, and in any number of them right", () => {
    const joined = new JoinedFrames();
    const frames = Array.from({ length: 200 }, (_, n) => Buffer.from([n, n]));
    const places = [
      [0, 6],
      [6, 12],
      [12, 20],
    ] as const;
    const chunks = places.map(([from, to]) => joined.of(frames, from, to, 2 * (to - from)));
    for (let socket = 0; socket < 3; socket++) {
      const waiting = [a, ...frames];
      for (const [at, [from, to]] of places.entries()) {
        expect(joined.of(waiting, from + 1, to + 1, 2 * (to - from))).toBe(chunks[at]);
      }
    }
    for (let from = 0; from < 190; from++) {
      expect(joined.of(frames, from, from + 2, 4)).toEqual(Buffer.from([from, from, from + 1, from + 1]));
    }
  });
});
