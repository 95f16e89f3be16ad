import { describe, expect, test } from "vitest";
import { TokenBucket } from "../token-bucket.ts";
import { Inbox } from "./inbox.ts";

function open(limits = { messages: 4, bytes: 100 }) {
  const handled: string[] = [];
  const errors: unknown[] = [];
  const reader = {
    isPaused: false,
    pause() {
      reader.isPaused = true;
    },
    resume() {
      reader.isPaused = false;
    },
  };
  const doors = new Map<string, { open(): void; fail(error: unknown): void }>();
  const inbox = new Inbox<string>({
    limits,
    reader,
    onFailed: (error) => errors.push(error),
    handle(message) {
      handled.push(message);
      if (message.startsWith("now")) return;
      if (message === "throw") throw new Error("thrown");
      return new Promise<void>((resolve, reject) => doors.set(message, { open: resolve, fail: reject }));
    },
  });
  return { inbox, handled, errors, reader, finish: (message: string) => doors.get(message)!.open(), doors };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("an inbox", () => {
  test("hands one over when the one before it is done, in order", async () => {
    const { inbox, handled, finish } = open();
    for (const message of ["a", "b", "now 1", "now 2", "c"]) inbox.add(message, 1);
    expect(handled).toEqual(["a"]);
    finish("a");
    await turn();
    expect(handled).toEqual(["a", "b"]);
    finish("b");
    await turn();
    expect(handled).toEqual(["a", "b", "now 1", "now 2", "c"]);
  });

  test("hands over at once what needs no waiting", () => {
    const { inbox, handled } = open();
    inbox.add("now 1", 1);
    inbox.add("now 2", 1);
    expect(handled).toEqual(["now 1", "now 2"]);
  });

  test.each([
    ["messages", { messages: 2, bytes: 1000 }, 1],
    ["bytes", { messages: 1000, bytes: 20 }, 10],
  ])("R12 beyond its %s stops reading, and goes on at half of it", async (_name, limits, size) => {
    const { inbox, handled, reader, finish } = open(limits);
    inbox.add("a", size);
    for (const message of ["b", "c"]) inbox.add(message, size);
    expect(reader.isPaused).toBe(false);
    inbox.add("d", size);
    expect([reader.isPaused, inbox.isPaused]).toEqual([true, true]);
    finish("a");
    await turn();
    expect(reader.isPaused).toBe(true);
    finish("b");
    await turn();
    expect([reader.isPaused, inbox.isPaused]).toEqual([false, false]);
    finish("c");
    await turn();
    expect(handled).toEqual(["a", "b", "c", "d"]);
  });

  test("X09 tells of what fails, and goes on with the next", async () => {
    const { inbox, handled, errors, doors } = open();
    for (const message of ["throw", "a", "now", "throw", "now"]) inbox.add(message, 1);
    doors.get("a")!.fail(new Error("rejected"));
    await turn();
    expect(handled).toEqual(["throw", "a", "now", "throw", "now"]);
    expect(errors.map(String)).toEqual(["Error: thrown", "Error: rejected", "Error: thrown"]);
  });

  test("ends after what is in hand, without what waits", async () => {
    const { inbox, handled, finish } = open();
    inbox.add("a", 1);
    inbox.add("b", 1);
    let isEnded = false;
    inbox.end(() => {
      isEnded = true;
    });
    await turn();
    expect(isEnded).toBe(false);
    finish("a");
    await turn();
    expect([isEnded, handled]).toEqual([true, ["a"]]);
  });

  test("ends at once when nothing is in hand", () => {
    let isEnded = false;
    open().inbox.end(() => {
      isEnded = true;
    });
    expect(isEnded).toBe(true);
  });
});

describe("a token bucket", () => {
  test("gives so many at once, then as many as time brings", () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 3 }, 0);
    const take = (nowMs: number, times: number) => Array.from({ length: times }, () => bucket.take(nowMs));
    expect(take(0, 5)).toEqual([true, true, true, false, false]);
    expect(take(99, 1)).toEqual([false]);
    expect(take(100, 2)).toEqual([true, false]);
    expect(take(1_000_000, 4)).toEqual([true, true, true, false]);
  });
});
