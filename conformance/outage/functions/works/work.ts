import { expect } from "vitest";
import { seed } from "../../random.ts";
import type { Works } from "../app.ts";
import type { Note } from "../book.ts";

/** One thing that was promised to happen, whatever dies. */
export interface Work {
  /** What is promised. */
  readonly promise: string;
  /** Puts in the numbers `from` up to `to`, without giving up; they are there when this resolves. */
  put(from: number, to: number): Promise<void>;
  /** No further number comes. Resolves at once; what is under way goes on. */
  ended?(): Promise<void> | void;
  /** @throws while something is still to come */
  isOver(count: number): Promise<void>;
  /** @throws when the promise was broken. Called when all are over. */
  check(count: number): Promise<void>;
}

export type MakeWork = (works: Works) => Work;

export const numbersUpTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
export const numbersFrom = (from: number, to: number): number[] => numbersUpTo(to - from).map((n) => from + n);

/** `expect` of lists, without thousands of lines when they differ. */
export function isExactly(found: readonly number[], wanted: readonly number[], what: string): void {
  const [had, want] = [new Set(found), new Set(wanted)];
  const twice = found.filter((n, at) => found.indexOf(n) !== at);
  expect(
    {
      missing: wanted.filter((n) => !had.has(n)).slice(0, 10),
      foreign: found.filter((n) => !want.has(n)).slice(0, 10),
      twice: twice.slice(0, 10),
    },
    `${what}, seed ${seed}`,
  ).toEqual({ missing: [], foreign: [], twice: [] });
}

/** Each of these at least once, and no other. */
export const isAtLeastOnce = (notes: readonly Note[], wanted: readonly number[], what: string): void =>
  isExactly([...new Set(notes.map(({ n }) => n))], wanted, what);

/** Numbers of effects that were one with the end of a job, in the order in which they happened. */
export async function effectsOf({ sql }: Works, page: string): Promise<number[]> {
  const rows = await sql.run("select n::int from public.effects where page = $1 order by place", [page]);
  return rows.map(({ n }) => n as number);
}

/** Puts in one job of this name for each number, in their order; keys make one of what is put in twice. */
export async function enqueue(
  { sql }: Works,
  name: string,
  numbers: readonly number[],
  more: (n: number) => Readonly<Record<string, unknown>> = () => ({}),
): Promise<string[]> {
  const jobs = numbers.map((n) => ({ name, payload: { n }, key: `${name}/${n}`, ...more(n) }));
  const rows = await sql.run("select id from mainstay.enqueue_many($1::jsonb)", [JSON.stringify(jobs)]);
  return rows.map(({ id }) => String(id));
}

/** @throws while jobs of these names have not ended */
export async function areDone({ sql }: Works, names: readonly string[]): Promise<void> {
  const rows = await sql.run(
    "select name, state, claimed_by is not null as runs, count(*)::int, max(last_error) as error from mainstay.jobs where name = any ($1) and state not in (4, 6) group by 1, 2, 3",
    [names],
  );
  expect(rows, `seed ${seed}`).toEqual([]);
}
