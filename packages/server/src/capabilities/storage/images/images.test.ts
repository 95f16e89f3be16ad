import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { ContentReader } from "../content/types.ts";
import { createImages } from "./images.ts";
import { orderOf, readTransformation } from "./parameters.ts";
import { imageProblems } from "./problems.ts";
import type { RenderOrder, Rendition } from "./types.ts";

const order = (width = 10): RenderOrder => orderOf(readTransformation({ width }, 2_500), []);
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => "made",
    (error: { code?: string }) => error.code ?? `${error}`,
  );

/** Images whose renderer does what the test says, so that what comes before and after it is seen. */
function setUp(render: (signal: AbortSignal) => Promise<Rendition>, sizeBytes = 100) {
  const counts = { rendered: 0 };
  const kept = new Map<string, Rendition>();
  let nowMs = 1_000_000;
  const reader: ContentReader = { sizeBytes, async *stream() {}, whole: async () => null };
  const images = createImages({
    content: { open: async () => (sizeBytes < 0 ? null : reader) },
    renderers: {
      async render(open, _, signal) {
        counts.rendered++;
        await open();
        return render(signal);
      },
    },
    renditions: {
      find: async ({ made }) => kept.get(made) ?? null,
      keep: async ({ made }, rendition) => void kept.set(made, rendition),
    },
    settings: { storageImageInputBytes: 1_000 },
    clock: { nowMs: () => nowMs },
  });
  return { images, counts, kept, pass: (ms: number) => (nowMs += ms) };
}
const made: Rendition = { contentType: "image/png", bytes: Buffer.from("made") };
const none = new AbortController().signal;

describe("images", () => {
  test("are made once for all who ask at once, and not again", async () => {
    const { images, counts } = setUp(async () => made);
    const object = { version: randomUUID() };
    const all = await Promise.all(Array.from({ length: 20 }, () => images.render(object, order(), none)));
    expect(new Set(all)).toEqual(new Set([made]));
    await images.render(object, order(), none);
    expect(counts.rendered).toBe(1);
    await images.render(object, order(11), none);
    expect(counts.rendered).toBe(2);
    expect(images.etagOf(object, order())).not.toBe(images.etagOf(object, order(11)));
    expect(images.etagOf(object, order())).not.toBe(images.etagOf({ version: randomUUID() }, order()));
  });

  test("are made while anybody waits, and given up when nobody does", async () => {
    let finish = (): void => {};
    const { images, counts } = setUp(
      (signal) =>
        new Promise((resolve, reject) => {
          finish = () => resolve(made);
          signal.addEventListener("abort", () => reject(signal.reason));
        }),
    );
    const object = { version: randomUUID() };
    const [one, two, three] = [new AbortController(), new AbortController(), new AbortController()];
    const first = codeOf(images.render(object, order(), one.signal));
    const second = codeOf(images.render(object, order(), two.signal));
    await new Promise(setImmediate);
    one.abort(new Error("left"));
    expect(await first).toMatch(/left/);
    finish();
    expect(await second).toBe("made");
    const other = { version: randomUUID() };
    const alone = codeOf(images.render(other, order(), three.signal));
    await new Promise(setImmediate);
    three.abort(new Error("left"));
    expect(await alone).toMatch(/left/);
    const again = images.render(other, order(), none);
    await new Promise(setImmediate);
    finish();
    expect(await again).toBe(made);
    expect(counts.rendered).toBe(3);
  });

  test("S07: that cannot be made are not tried again and again", async () => {
    let problem = imageProblems.notAnImage();
    const { images, counts, pass } = setUp(() => Promise.reject(problem));
    const broken = { version: randomUUID() };
    for (let width = 1; width <= 50; width++)
      expect(await codeOf(images.render(broken, order(width), none))).toBe("InvalidImage");
    expect(counts.rendered).toBe(1);
    problem = imageProblems.tooLarge();
    const large = { version: randomUUID() };
    for (let at = 0; at < 50; at++) expect(await codeOf(images.render(large, order(), none))).toBe("ImageTooLarge");
    expect(counts.rendered).toBe(2);
    // Another size may be less work.
    await codeOf(images.render(large, order(9), none));
    expect(counts.rendered).toBe(3);
    problem = imageProblems.tooSlow();
    const slow = { version: randomUUID() };
    for (let at = 0; at < 5; at++) expect(await codeOf(images.render(slow, order(), none))).toBe("ImageTimeout");
    expect(counts.rendered).toBe(4);
    pass(60_001);
    await codeOf(images.render(slow, order(), none));
    expect(counts.rendered).toBe(5);
    pass(600_001);
    await codeOf(images.render(broken, order(), none));
    expect(counts.rendered).toBe(6);
  });

  test("that cannot be made now are tried again", async () => {
    const { images, counts } = setUp(() => Promise.reject(imageProblems.busy()));
    const object = { version: randomUUID() };
    for (let at = 0; at < 3; at++) expect(await codeOf(images.render(object, order(), none))).toBe("SlowDown");
    expect(counts.rendered).toBe(3);
  });

  test("of files that are too large, empty or gone are not begun", async () => {
    for (const [sizeBytes, code] of [
      [1_001, "ImageTooLarge"],
      [0, "InvalidImage"],
      [-1, "NoSuchKey"],
    ] as const) {
      const { images, counts } = setUp(async () => made, sizeBytes);
      expect(await codeOf(images.render({ version: randomUUID() }, order(), none))).toBe(code);
      expect(counts.rendered).toBe(0);
    }
    expect(await codeOf(setUp(async () => made).images.render({ version: null }, order(), none))).toBe("NoSuchKey");
  });
});
