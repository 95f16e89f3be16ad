import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sqlCronCalendar } from "../sql-cron/grammar.ts";
import { means, wallClock } from "./brute-force.testing.ts";
import { calendarOf } from "./calendar.ts";

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString().replace(".000", ""));

/** All times in [from, to), by `after`. */
function times(expression: string, zone: string, from: string, to: string): readonly (string | null)[] {
  const calendar = calendarOf(expression, zone);
  const found: number[] = [];
  let at = calendar.after(Date.parse(from) - 1);
  while (at !== null && at < Date.parse(to)) {
    found.push(at);
    at = calendar.after(at);
  }
  return found.map(iso);
}

describe("when clocks change", () => {
  // The day of the change, local; what is due on it, in UTC.
  const table: readonly [zone: string, expression: string, from: string, to: string, due: readonly string[]][] = [
    // Forward: 02:00 to 03:00 is left out. A time of day that is left out comes at the first moment after.
    ["Europe/Berlin", "30 2 * * *", "2026-03-28T23:00Z", "2026-03-29T22:00Z", ["2026-03-29T01:00:00Z"]],
    ["America/New_York", "30 2 * * *", "2026-03-08T05:00Z", "2026-03-09T04:00Z", ["2026-03-08T07:00:00Z"]],
    ["Australia/Lord_Howe", "15 2 * * *", "2026-10-03T13:30Z", "2026-10-04T13:00Z", ["2026-10-03T15:30:00Z"]],
    ["Africa/Cairo", "0 0 * * *", "2026-04-23T22:00Z", "2026-04-24T21:00Z", ["2026-04-23T22:00:00Z"]],
    // What follows the clock on the wall leaves it out.
    ["Europe/Berlin", "*/30 2 * * *", "2026-03-28T23:00Z", "2026-03-29T22:00Z", []],
    [
      "Europe/Berlin",
      "30 1-3 * * *",
      "2026-03-28T23:00Z",
      "2026-03-29T22:00Z",
      ["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"],
    ],
    // Back: 02:00 to 03:00 comes twice. A time of day comes the first time only.
    ["Europe/Berlin", "30 2 * * *", "2026-10-24T22:00Z", "2026-10-25T23:00Z", ["2026-10-25T00:30:00Z"]],
    ["America/New_York", "30 1 * * *", "2026-11-01T04:00Z", "2026-11-02T05:00Z", ["2026-11-01T05:30:00Z"]],
    ["America/St_Johns", "30 1 * * *", "2026-11-01T02:30Z", "2026-11-02T03:30Z", ["2026-11-01T04:00:00Z"]],
    // What follows the clock on the wall comes twice.
    [
      "Europe/Berlin",
      "*/30 2 * * *",
      "2026-10-24T22:00Z",
      "2026-10-25T23:00Z",
      ["2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z"],
    ],
    // Zones that never change, and one that is 45 minutes off.
    ["Asia/Kolkata", "30 2 * * *", "2026-03-28T18:30Z", "2026-03-29T18:30Z", ["2026-03-28T21:00:00Z"]],
    ["Asia/Kathmandu", "0 9 * * *", "2026-03-28T18:15Z", "2026-03-29T18:15Z", ["2026-03-29T03:15:00Z"]],
    ["UTC", "30 2 * * *", "2026-03-29T00:00Z", "2026-03-30T00:00Z", ["2026-03-29T02:30:00Z"]],
  ];
  for (const [zone, expression, from, to, due] of table) {
    test(`${expression} in ${zone} on ${from.slice(0, 10)}`, () => {
      expect(times(expression, zone, from, to)).toEqual(due);
    });
  }

  test("whatever the zone, a daily schedule is due once on each day of a year", () => {
    for (const zone of [
      "Europe/Berlin",
      "America/New_York",
      "Australia/Lord_Howe",
      "Africa/Casablanca",
      "Pacific/Chatham",
    ]) {
      const wall = wallClock(zone);
      const days = new Set<string>();
      const found = times("30 2 * * *", zone, "2026-01-10T00:00Z", "2027-01-10T00:00Z");
      for (const at of found) {
        const { month, day } = wall(Date.parse(at!));
        days.add(`${month}-${day}`);
      }
      expect(found, zone).toHaveLength(365);
      expect(days.size, zone).toBe(365);
    }
  });
});

const element = (low: number, high: number) =>
  fc.oneof(
    { weight: 2, arbitrary: fc.integer({ min: low, max: high }).map(String) },
    fc
      .tuple(fc.integer({ min: low, max: high }), fc.integer({ min: low, max: high }))
      .map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
    fc
      .tuple(fc.integer({ min: low, max: high }), fc.integer({ min: low, max: high }), fc.integer({ min: 1, max: 7 }))
      .map(([a, b, step]) => `${Math.min(a, b)}-${Math.max(a, b)}/${step}`),
    fc.integer({ min: 1, max: 7 }).map((step) => `*/${step}`),
  );
const field = (low: number, high: number) =>
  fc.oneof(
    { weight: 2, arbitrary: fc.constant("*") },
    {
      weight: 3,
      arbitrary: fc.array(element(low, high), { minLength: 1, maxLength: 3 }).map((list) => list.join(",")),
    },
  );
const days = fc.oneof({ weight: 5, arbitrary: field(1, 28) }, fc.constant("L"));
const expressions = fc
  .tuple(field(0, 59), field(0, 23), days, fc.constant("*"), field(0, 6))
  .map((all) => all.join(" "));
// Times and zones without a change of clocks in reach: there the table above holds.
const instants = fc.integer({ min: Date.parse("2026-06-01T00:00Z"), max: Date.parse("2026-08-20T00:00Z") });
const zones = fc.constantFrom("UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu");

/** The first minute after `ms` that the expression means, within three days; `null` when there is none. */
function bruteForce(expression: string, zone: string, ms: number, isStar: (field: string) => boolean): number | null {
  const wall = wallClock(zone);
  const first = Math.floor(ms / 60_000) * 60_000 + 60_000;
  for (let at = first; at < first + 3 * 86_400_000; at += 60_000) if (means(expression, wall(at), isStar)) return at;
  return null;
}

describe("against a reading of every minute", () => {
  const parameters = { numRuns: 60 };
  test("the next time is the first that the expression means", () => {
    fc.assert(
      fc.property(expressions, zones, instants, (expression, zone, ms) => {
        const expected = bruteForce(expression, zone, ms, (text) => text === "*");
        const found = calendarOf(expression, zone).after(ms);
        if (expected === null) expect(found === null || found > ms + 2 * 86_400_000).toBe(true);
        else expect(iso(found)).toBe(iso(expected));
      }),
      parameters,
    );
  });

  test("as pg_cron reads it, where a star with a step asks for day and weekday both", () => {
    fc.assert(
      fc.property(expressions, instants, (expression, ms) => {
        const written = expression.replace("L", "$");
        const expected = bruteForce(written, "UTC", ms, (text) => text.startsWith("*"));
        const found = sqlCronCalendar(written, "GMT").after(ms);
        if (expected === null) expect(found === null || found > ms + 2 * 86_400_000).toBe(true);
        else expect(iso(found)).toBe(iso(expected));
      }),
      parameters,
    );
  });

  test("looking back finds what looking forward found", () => {
    fc.assert(
      fc.property(expressions, zones, instants, fc.integer({ min: 1, max: 20 }), (expression, zone, ms, limit) => {
        const calendar = calendarOf(expression, zone);
        const forward: number[] = [];
        const end = ms + 2 * 86_400_000;
        for (let at = calendar.after(ms); at !== null && at <= end; at = calendar.after(at)) forward.push(at);
        expect(calendar.between(ms + 1, end, limit)).toEqual(forward.slice(-limit));
      }),
      { numRuns: 20 },
    );
  });
});

test("looking back over a change of clocks finds what looking forward found", () => {
  for (const expression of ["30 2 * * *", "*/20 * * * *", "15,45 1-3 * * *", "0 0 * * *"]) {
    for (const [zone, from] of [
      ["Europe/Berlin", "2026-03-28T12:00Z"],
      ["Europe/Berlin", "2026-10-24T12:00Z"],
      ["Australia/Lord_Howe", "2026-04-04T00:00Z"],
    ] as const) {
      const to = new Date(Date.parse(from) + 2 * 86_400_000).toISOString();
      const forward = times(expression, zone, from, to);
      const back = calendarOf(expression, zone).between(Date.parse(from), Date.parse(to) - 1, 1_000);
      expect(back.map(iso), `${expression} in ${zone}`).toEqual(forward);
    }
  }
});

test("what is no expression is refused, and says why", () => {
  const refused = [
    "",
    "* * * *",
    "* * * * * * *",
    "60 * * * *",
    "* 24 * * *",
    "* * 0 * *",
    "* * * 13 *",
    "*/0 * * * *",
    "? * * * *",
    "2026-12-12T00:00:00Z",
    "@often",
    "a b c d e",
  ];
  for (const expression of refused) {
    expect(() => calendarOf(expression, "UTC"), expression).toThrow(
      expect.objectContaining({ code: "jobs/bad-schedule" }),
    );
  }
  for (const zone of ["", "Nowhere/Land", "+02:00", "Europe/Berlin; drop"]) {
    expect(() => calendarOf("* * * * *", zone), zone).toThrow(expect.objectContaining({ code: "jobs/bad-schedule" }));
  }
});

test("words and six fields are read", () => {
  expect(times("@daily", "Europe/Berlin", "2026-06-01T00:00Z", "2026-06-02T00:00Z")).toEqual(["2026-06-01T22:00:00Z"]);
  expect(times("*/20 * * * * *", "UTC", "2026-06-01T00:00:01Z", "2026-06-01T00:01:00Z")).toEqual([
    "2026-06-01T00:00:20Z",
    "2026-06-01T00:00:40Z",
  ]);
  expect(times("0 0 29 2 *", "UTC", "2026-06-01T00:00Z", "2030-01-01T00:00Z")).toEqual(["2028-02-29T00:00:00Z"]);
});
