import { expect, test } from "vitest";
import type { Observation } from "../../observe/observation.ts";
import { LagWatch } from "./lag-watch.ts";

test("a reader that lags is told of once, until it has come back", () => {
  const seen: Observation[] = [];
  const watch = new LagWatch({ tooMuchBytes: 100, observe: (one) => void seen.push(one) });
  const look = (a: number, b = 0) =>
    watch.look([
      { name: "a", lagBytes: a, isFailing: false },
      { name: "b", lagBytes: b, isFailing: false },
    ]);
  look(100);
  expect(seen).toEqual([]);
  look(101);
  look(300);
  look(60);
  look(200);
  expect(seen).toEqual([{ kind: "log.lagging", reader: "a", lagBytes: 101 }]);
  look(49, 102);
  look(102);
  expect(seen.slice(1)).toEqual([
    { kind: "log.lagging", reader: "b", lagBytes: 102 },
    { kind: "log.lagging", reader: "a", lagBytes: 102 },
  ]);
});
