import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { AtMostEvery } from "./at-most-every.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it("works at once, and once for all that is asked meanwhile", () => {
  let done = 0;
  const paced = new AtMostEvery(1_000, () => done++);
  paced.ask();
  expect(done).toBe(1);
  for (let asked = 0; asked < 100; asked++) paced.ask();
  vi.advanceTimersByTime(999);
  expect(done).toBe(1);
  vi.advanceTimersByTime(1);
  expect(done).toBe(2);
  paced.ask();
  vi.advanceTimersByTime(1_000);
  expect(done).toBe(3);
  vi.advanceTimersByTime(10_000);
  expect(done).toBe(3);
  paced.ask();
  expect(done).toBe(4);
});

it("does nothing after it was stopped", () => {
  let done = 0;
  const paced = new AtMostEvery(1_000, () => done++);
  paced.ask();
  paced.ask();
  paced.stop();
  vi.advanceTimersByTime(10_000);
  expect(done).toBe(1);
});
