import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { PacedQueue } from "./paced-queue.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function queueOf(perSecond: number, atOnce = 100) {
  const done: number[] = [];
  let most = 0;
  let now = 0;
  const queue = new PacedQueue<number>({
    perSecond,
    atOnce,
    async work(item) {
      most = Math.max(most, ++now);
      await Promise.resolve();
      now--;
      done.push(item);
    },
  });
  return { queue, done, most: () => most };
}
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

describe("a paced queue", () => {
  it("works no faster than its pace, in order, and on all", async () => {
    const { queue, done } = queueOf(100);
    queue.add(numbers(35));
    await vi.advanceTimersByTimeAsync(0);
    expect(done).toHaveLength(10);
    await vi.advanceTimersByTimeAsync(100);
    expect(done).toHaveLength(20);
    await vi.advanceTimersByTimeAsync(300);
    expect(done).toEqual(numbers(35));
    expect(vi.getTimerCount()).toBe(0);
  });

  it("goes as fast as it can when something is urgent, some at a time", async () => {
    const { queue, done, most } = queueOf(10, 4);
    queue.add(numbers(50));
    queue.add([50], true);
    await vi.advanceTimersByTimeAsync(0);
    expect(done).toEqual(numbers(51));
    expect(most()).toBe(4);
    queue.add(numbers(5));
    await vi.advanceTimersByTimeAsync(0);
    expect(done.length).toBeLessThan(53);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(done).toHaveLength(56);
  });

  it("lets what is put in again keep its place, so that all are reached", async () => {
    const { queue, done } = queueOf(10);
    for (let i = 0; i < 40; i++) {
      queue.add(numbers(8));
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(new Set(done)).toEqual(new Set(numbers(8)));
    expect(done.slice(0, 8)).toEqual(numbers(8));
  });

  it("forgets what is taken out, and everything when it stops", async () => {
    const { queue, done } = queueOf(10);
    queue.add(numbers(5));
    queue.delete(3);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(done).toEqual([0, 1, 2, 4]);
    queue.add(numbers(5));
    queue.stop();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(done).toHaveLength(5);
    expect(vi.getTimerCount()).toBe(0);
  });
});
