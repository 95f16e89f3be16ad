import { expect, test } from "vitest";
import { Allowance } from "./allowance.ts";

test("so many at once, and then as time goes by", () => {
  let nowMs = 5;
  const allowance = new Allowance(3, () => nowMs);
  const spend = (times: number) => Array.from({ length: times }, () => allowance.spend());
  expect(spend(4)).toEqual([true, true, true, false]);
  nowMs += 20_001;
  expect(spend(2)).toEqual([true, false]);
  nowMs += 3_600_000;
  expect(spend(4)).toEqual([true, true, true, false]);
});

test("none at all", () => {
  let nowMs = 0;
  const allowance = new Allowance(0, () => nowMs);
  nowMs = 1e9;
  expect(allowance.spend()).toBe(false);
});
