import { expect } from "vitest";
import { seed } from "../../random.ts";
import type { Works } from "../app.ts";
import { isExactly, numbersFrom, numbersUpTo, type Work } from "./work.ts";

const rows = 13;

interface Seen {
  readonly event: string;
  readonly id: number;
  readonly v: number;
  readonly job: string;
}

/** What functions on change have seen, in the order of their effects. */
export async function seenOf({ sql }: Works, page: string): Promise<Seen[]> {
  const found = await sql.run("select event, id, v, job from public.seen where page = $1 order by place", [page]);
  return found as unknown as Seen[];
}

/** Writes versions `numbers` of rows, each in a transaction of its own, and the same in one that is rolled back. */
export async function book({ sql }: Works, numbers: readonly number[]): Promise<void> {
  for (const n of numbers) {
    await sql.run(
      `insert into public.bookings as b (id, v) values ($1, $2)
       on conflict (id) do update set v = excluded.v where b.v < excluded.v`,
      [n % rows, n],
    );
  }
  await sql.run(`do $$ begin
    update public.bookings set v = -1;
    raise sqlstate 'P0099';
  exception when sqlstate 'P0099' then null; end $$`);
}

/** @throws unless each version was seen once, in the order of its row */
export function isSeenOnce(seen: readonly Seen[], numbers: readonly number[]): void {
  isExactly(
    seen.map(({ v }) => v),
    numbers,
    "commits seen",
  );
  expect(new Set(seen.map(({ event }) => event)).size, `events, seed ${seed}`).toBe(seen.length);
  expect(new Set(seen.map(({ job }) => job)).size, `jobs, seed ${seed}`).toBe(seen.length);
  for (const [id, of] of Map.groupBy(seen, (one) => one.id)) {
    const versions = of.map(({ v }) => v);
    expect(versions, `row ${id}, seed ${seed}`).toEqual(versions.toSorted((a, b) => a - b));
  }
}

/** Functions on change: of one row after the other, and of one large transaction. */
export function changes(works: Works): Work {
  const isBooked = (n: number) => n % 4 === 0;
  const largeOf = (count: number) => numbersUpTo(count).filter((n) => n % 2 === 1);
  return {
    promise: "every commit becomes one job, once, in the order of its row; what is rolled back becomes none",
    async put(from, to) {
      const numbers = numbersFrom(from, to);
      await book(works, numbers.filter(isBooked));
      await works.sql.run("insert into public.bulk (id) select unnest($1::int[]) on conflict do nothing", [
        numbers.filter((n) => n % 2 === 1),
      ]);
    },
    async isOver(count) {
      const [found] = await works.sql.run("select count(*)::int from public.seen");
      const wanted = numbersUpTo(count).filter(isBooked).length + largeOf(count).length;
      expect(found!.count, `seed ${seed}`).toBeGreaterThanOrEqual(wanted);
      const left = await works.sql.run(
        "select name, state from mainstay.jobs where name like 'mainstay.change/%' and state not in (4, 6)",
      );
      expect(left, `seed ${seed}`).toEqual([]);
    },
    async check(count) {
      isSeenOnce(await seenOf(works, "bookings"), numbersUpTo(count).filter(isBooked));
      const bulk = await seenOf(works, "bulk");
      isExactly(
        bulk.map(({ id }) => id),
        largeOf(count),
        "rows of large transactions",
      );
      expect(await works.sql.run("select * from mainstay.change_gaps")).toEqual([]);
    },
  };
}
