import { expect, test } from "vitest";
import { calendarOf, intervalCalendar } from "./calendar.ts";
import { type DueNeeds, dueRuns } from "./due.ts";

const at = (iso: string): number => Date.parse(`2026-11-22T${iso}Z`);
const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString().slice(11, 19));
const due = (needs: Partial<DueNeeds>) => {
  const { runsMs, nextRunAtMs } = dueRuns({
    calendar: calendarOf("0 * * * *", "UTC"),
    nextRunAtMs: at("03:00:00"),
    nowMs: at("03:00:00.005"),
    missed: "once",
    graceMs: 60_000,
    missedMax: 100,
    ...needs,
  });
  return { runs: runsMs.map(iso), next: iso(nextRunAtMs) };
};

test("a run that is on time is made, whatever is done about missed ones", () => {
  for (const missed of ["once", "all", "skip"] as const) {
    expect(due({ missed })).toEqual({ runs: ["03:00:00"], next: "04:00:00" });
    expect(due({ missed, nowMs: at("03:00:59") })).toEqual({ runs: ["03:00:00"], next: "04:00:00" });
  }
});

test("of missed runs the last is made up for, each, or none", () => {
  const nowMs = at("07:30:00");
  expect(due({ nowMs, missed: "once" })).toEqual({ runs: ["07:00:00"], next: "08:00:00" });
  expect(due({ nowMs, missed: "skip" })).toEqual({ runs: [], next: "08:00:00" });
  expect(due({ nowMs, missed: "all" }).runs).toEqual(["03:00:00", "04:00:00", "05:00:00", "06:00:00", "07:00:00"]);
  expect(due({ nowMs, missed: "all", missedMax: 2 }).runs).toEqual(["06:00:00", "07:00:00"]);
});

test("one that is on time makes up for those before it", () => {
  const nowMs = at("07:00:01");
  expect(due({ nowMs, missed: "once" }).runs).toEqual(["07:00:00"]);
  expect(due({ nowMs, missed: "skip" }).runs).toEqual(["07:00:00"]);
  expect(due({ nowMs, missed: "all" }).runs).toEqual(["03:00:00", "04:00:00", "05:00:00", "06:00:00", "07:00:00"]);
});

test("runs of a few seconds that come late are all made: nobody was away", () => {
  const calendar = calendarOf("* * * * * *", "UTC");
  expect(due({ calendar, nowMs: at("03:00:03.100"), missed: "skip" })).toEqual({
    runs: ["03:00:00", "03:00:01", "03:00:02", "03:00:03"],
    next: "03:00:04",
  });
});

test("an interval goes on in its rhythm", () => {
  const calendar = intervalCalendar(30_000);
  expect(due({ calendar, nowMs: at("03:00:01") })).toEqual({ runs: ["03:00:00"], next: "03:00:30" });
  expect(due({ calendar, nowMs: at("05:00:10"), missed: "skip" })).toEqual({
    runs: ["04:59:30", "05:00:00"],
    next: "05:00:30",
  });
});

test("a year of missed seconds costs no more than a minute of them", () => {
  const calendar = calendarOf("* * * * * *", "UTC");
  const nowMs = at("03:00:00") + 365 * 86_400_000;
  expect(due({ calendar, nowMs, missed: "all", missedMax: 10 }).runs).toHaveLength(10 + 61);
});

test("what is never due again has no next time", () => {
  const calendar = calendarOf("0 0 30 2 *", "UTC");
  expect(due({ calendar, nowMs: at("05:00:00") })).toEqual({ runs: [], next: null });
});
