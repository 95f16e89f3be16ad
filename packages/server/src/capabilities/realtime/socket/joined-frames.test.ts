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
});
