import { expect, test } from "vitest";
import { WeightedLru } from "./weighted-lru.ts";

test("holds no more than it may, and forgets what was used longest ago", () => {
  const lru = new WeightedLru<string, number>(100);
  for (let n = 0; n < 10; n++) lru.set(`k${n}`, n, 20);
  expect([lru.weight, lru.get("k4"), lru.get("k5")]).toEqual([100, undefined, 5]);
  lru.set("new", 1, 25);
  expect([lru.get("k6"), lru.get("k7"), lru.get("k5")]).toEqual([undefined, undefined, 5]);
  lru.set("k5", 50, 1);
  expect([lru.get("k5"), lru.weight]).toEqual([50, 66]);
  lru.delete("k5");
  lru.delete("k5");
  expect([lru.get("k5"), lru.weight]).toEqual([undefined, 65]);
});

test("keeps nothing that would push out everything else, nor the old value of it", () => {
  const lru = new WeightedLru<string, number>(100);
  lru.set("a", 1, 20);
  lru.set("large", 1, 26);
  expect([lru.get("large"), lru.get("a")]).toEqual([undefined, 1]);
  lru.set("a", 2, 26);
  expect([lru.get("a"), lru.weight]).toEqual([undefined, 0]);
  const none = new WeightedLru<string, number>(0);
  none.set("a", 1, 1);
  expect(none.weight).toBe(0);
});
