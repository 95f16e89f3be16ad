import { expect, test } from "vitest";
import { Looks, nothingSeen } from "./looks.ts";
import type { ClaimedRow } from "./store.ts";

const claimed = (place: number, { name = "a", queue = "q", priority = 0 } = {}): ClaimedRow => [
  `${place}`,
  name,
  queue,
  null,
  null,
  1,
  0,
  0,
  null,
  priority,
  place,
  0,
  null,
];

/** After two slow looks at everything, at 0 and 1 ms. */
function slow(tookMs = 40, mostMs = 5_000): Looks {
  const looks = new Looks(mostMs);
  looks.looked(nothingSeen, [claimed(10)], tookMs, 0);
  looks.looked(nothingSeen, [claimed(20)], tookMs, 1);
  return looks;
}

test("all is looked at while that is quick, and after one slow look, which may be the machine's", () => {
  const looks = new Looks(5_000);
  for (const [atMs, tookMs] of [
    [0, 1],
    [1, 50],
    [2, 1],
    [3, 50],
  ] as const) {
    expect(looks.from(["a"], atMs)).toBe(nothingSeen);
    looks.looked(nothingSeen, [claimed(atMs)], tookMs, atMs);
  }
  expect(looks.from(["a"], 4)).toBe(nothingSeen);
});

test("then it goes on behind what was claimed a while ago, and at once of what has just been", () => {
  const looks = slow();
  expect(looks.from(["b", "a"], 100)).toEqual({ ats: [2], queues: ["q"], priorities: [0], places: [0] });
  looks.looked(looks.from(["a"], 200), [claimed(30)], 5, 200);
  expect(looks.from(["a"], 300).places).toEqual([0]);
  // What was claimed last moves on behind what was there a while ago: a commit may come late.
  looks.looked(looks.from(["a"], 300), [claimed(40)], 5, 300);
  expect(looks.from(["a"], 390).places).toEqual([0]);
  looks.looked(nothingSeen, [], 100, 401);
  expect(looks.from(["a"], 540).places).toEqual([0]);
  expect(looks.from(["a"], 560).places).toEqual([30]);
  expect(looks.from(["a"], 820).places).toEqual([40]);
});

test("everything again after ten times as long as it took, and no later than the longest time", () => {
  expect(slow(40).allAtMs).toBe(401);
  expect(slow(40).from(["a"], 401)).toBe(nothingSeen);
  expect(slow(900).allAtMs).toBe(5_001);
});

test("each queue and priority has a place of its own, and names that were never seen have none", () => {
  const looks = slow();
  looks.looked(looks.from(["a"], 2), [claimed(50, { priority: -5 }), claimed(60, { queue: "r" })], 5, 2);
  const seen = looks.from(["a", "b"], 3);
  expect(seen.ats).toEqual([1, 1, 1]);
  expect(seen.queues).toEqual(["q", "q", "r"]);
  expect(seen.priorities).toEqual([0, -5, 0]);
});

test("once a look at everything is quick again, every look is one", () => {
  const looks = slow();
  looks.looked(nothingSeen, [claimed(70)], 2, 500);
  expect(looks.from(["a"], 500)).toBe(nothingSeen);
  expect(looks.from(["a"], 501)).toBe(nothingSeen);
});
