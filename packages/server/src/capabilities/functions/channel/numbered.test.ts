import { expect, it } from "vitest";
import { Numbered } from "./numbered.ts";

it("knows by a number what a Map knows by it, whatever comes and goes", () => {
  const numbered = new Numbered<string>();
  const map = new Map<number, string>();
  let next = 1;
  for (let i = 0; i < 20_000; i++) {
    // Some stay for long, most go soon.
    next = numbered.free(next + 1);
    numbered.set(next, `v${next}`);
    map.set(next, `v${next}`);
    for (const number of map.keys()) {
      if (number > next - 20 || number % 97 === 0) continue;
      numbered.delete(number);
      map.delete(number);
    }
    for (const number of [next, next - 19, next - 20, next - 128, 97]) {
      if (numbered.get(number) !== map.get(number)) expect(numbered.get(number)).toBe(map.get(number));
    }
  }
  expect(numbered.size).toBe(map.size);
  expect(numbered.values()).toEqual([...map.values()]);
});

it("takes numbers that want the same place, and one again", () => {
  const numbered = new Numbered<string>();
  for (const number of [1, 129, 257, 0xffff_ffff]) numbered.set(number, String(number));
  numbered.set(129, "other");
  expect(numbered.size).toBe(4);
  expect(numbered.values()).toEqual(["1", "other", "257", String(0xffff_ffff)]);
  numbered.delete(129);
  numbered.delete(129);
  numbered.delete(5);
  expect([numbered.size, numbered.get(129), numbered.get(5)]).toEqual([3, undefined, undefined]);
  numbered.clear();
  expect([numbered.size, numbered.values(), numbered.get(1)]).toEqual([0, [], undefined]);
});
