import { expect, it } from "vitest";
import { RemoteClock } from "./clock.ts";

it("another's clock is known between two moments, for a while", () => {
  const clock = new RemoteClock(10_000);
  expect(clock.now(0)).toBeNull();
  clock.tell(1_000_000_000n, 100, 120);
  const now = clock.now(1_120)!;
  // A second after it was heard: a second more, less and more the margin, and the 20 ms that asking took.
  expect(now.earliestUs).toBeLessThan(1_000_000_000n + 1_000_000n);
  expect(now.latestUs).toBeGreaterThan(1_000_000_000n + 1_020_000n);
  expect(now.latestUs - now.earliestUs).toBeLessThan(2_100_000n);
  expect(clock.now(10_121)).toBeNull();
});
