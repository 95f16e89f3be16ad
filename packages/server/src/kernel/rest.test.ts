import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Rest } from "./rest.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const watched = (resting: Promise<void>) => {
  const seen = { isOver: false };
  void resting.then(() => {
    seen.isOver = true;
  });
  return seen;
};

it("is over after its time", async () => {
  const resting = watched(new Rest().take(100));
  await vi.advanceTimersByTimeAsync(99);
  expect(resting.isOver).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(resting.isOver).toBe(true);
});

it("is over when it is woken, and leaves no timer", async () => {
  const rest = new Rest();
  const resting = rest.take(100);
  rest.wake();
  await resting;
  expect(vi.getTimerCount()).toBe(0);
});

it("lasts for ever where there is no end, but for whoever wakes it", async () => {
  const rest = new Rest();
  const resting = watched(rest.take(Number.POSITIVE_INFINITY));
  expect(vi.getTimerCount()).toBe(0);
  rest.wake();
  await vi.advanceTimersByTimeAsync(0);
  expect(resting.isOver).toBe(true);
});

it("a word to nobody is not kept for the next rest", async () => {
  const rest = new Rest();
  rest.wake();
  const resting = watched(rest.take(100));
  await vi.advanceTimersByTimeAsync(50);
  expect(resting.isOver).toBe(false);
  rest.wake();
});
