import { expect } from "vitest";
import { seed } from "../../random.ts";
import type { Works } from "../app.ts";
import { areDone, effectsOf, enqueue, isAtLeastOnce, isExactly, numbersFrom, numbersUpTo, type Work } from "./work.ts";

const lines = 7;
const names = ["exact", "often", "together", "parent", "ordered"];
const lineOf = (n: number): number => Math.floor(n / 6) % lines;

/** Jobs by SQL, by supabase-js through a function, and by other jobs. */
export function jobs(works: Works): Work {
  const ofKind = (numbers: readonly number[], ...kinds: readonly number[]) =>
    numbers.filter((n) => kinds.includes(n % 6));
  return {
    promise: "each job has its effect exactly once with its end, at least once elsewhere, in the order of its key",
    async put(from, to) {
      const numbers = numbersFrom(from, to);
      // Again with the same keys by another way: no job is made twice.
      const asked = ofKind(numbers, 0, 1);
      await works.asking(({ functions }) =>
        functions.invoke<string[]>("desk/enqueue", { body: { name: "exact", numbers: asked } }),
      );
      await works.asking(({ functions }) =>
        functions.invoke<string[]>("desk/enqueue", { body: { name: "often", numbers: ofKind(numbers, 2) } }),
      );
      await enqueue(works, "exact", ofKind(numbers, 0));
      await enqueue(works, "parent", ofKind(numbers, 3));
      await enqueue(works, "together", ofKind(numbers, 4));
      await enqueue(works, "ordered", ofKind(numbers, 5), (n) => ({ order_key: `line-${lineOf(n)}` }));
    },
    isOver: () => areDone(works, names),
    async check(count) {
      const all = numbersUpTo(count);
      isExactly(await effectsOf(works, "exact"), ofKind(all, 0, 1, 3), "exactly once");
      isAtLeastOnce(works.book.page("often"), ofKind(all, 2), "often");
      isAtLeastOnce(works.book.page("together"), ofKind(all, 4), "together");
      const ordered = await effectsOf(works, "ordered");
      isExactly(ordered, ofKind(all, 5), "ordered");
      for (const [line, of] of Map.groupBy(ordered, lineOf)) {
        expect(of, `line ${line}, seed ${seed}`).toEqual(of.toSorted((a, b) => a - b));
      }
      const keys = await works.sql.run(
        "select name, key from mainstay.jobs where key is not null group by 1, 2 having count(*) > 1",
      );
      expect(keys).toEqual([]);
      expect(await works.sql.run("select from mainstay.job_order_news")).toEqual([]);
    },
  };
}
