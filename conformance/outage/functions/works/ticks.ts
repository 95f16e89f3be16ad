import { expect } from "vitest";
import { seed } from "../../random.ts";
import type { Works } from "../app.ts";
import { effectsOf, type Work } from "./work.ts";

/** Unix time, by PostgreSQL's clock. */
export const secondNow = async ({ sql }: Works): Promise<number> =>
  Number((await sql.run("select floor(extract(epoch from clock_timestamp()))::int as now"))[0]!.now);

/** @throws unless every second of a schedule is there once. @returns them in their order */
export function isEverySecond(ticks: readonly number[], what: string): number[] {
  const sorted = ticks.toSorted((a, b) => a - b);
  const wanted = sorted.map((_, at) => sorted[0]! + at);
  expect(sorted, `${what}, seed ${seed}`).toEqual(wanted);
  return sorted;
}

/** @throws while runs of every second up to this one are still to come */
export async function areTold(works: Works, second: number): Promise<void> {
  const found = await effectsOf(works, "tick");
  expect(Math.max(...found), `seed ${seed}`).toBeGreaterThanOrEqual(second);
  const waiting = await works.sql.run(
    `select key from mainstay.jobs
     where name = 'mainstay.cron/every-second' and state < 4 and (payload ->> 'scheduledAt')::timestamptz <= to_timestamp($1)`,
    [second],
  );
  expect(waiting, `seed ${seed}`).toEqual([]);
}

/** A schedule of every second, all of whose times are made up for. */
export function ticks(works: Works): Work {
  let endsAt: number | null = null;
  return {
    promise: "a schedule has every second once, whoever dies in it",
    async put() {},
    async ended() {
      endsAt = await secondNow(works);
    },
    isOver: () => areTold(works, endsAt!),
    async check() {
      const found = await effectsOf(works, "tick");
      // Of the last second some may be under way still.
      const seconds = isEverySecond(
        found.filter((second) => second <= endsAt!),
        "ticks",
      );
      expect(seconds.length).toBeGreaterThan(3);
    },
  };
}
