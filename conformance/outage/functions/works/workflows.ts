import { expect } from "vitest";
import { seed } from "../../random.ts";
import type { Works } from "../app.ts";
import { areDone, effectsOf, enqueue, isAtLeastOnce, isExactly, numbersFrom, numbersUpTo, type Work } from "./work.ts";

/** Workflows with steps outside and inside of the database, a sleep and an event. */
export function workflows(works: Works): Work {
  const begun: number[] = [];
  const send = async (numbers: readonly number[]): Promise<void> => {
    await works.sql.run(
      "select mainstay.send_event('go', jsonb_build_object('n', n), n::text) from unnest($1::int[]) n",
      [numbers],
    );
  };
  const ofAll = (count: number) => numbersUpTo(count).filter((n) => n % 5 === 0);
  return {
    promise: "a workflow goes on at the step it has reached: no step that is remembered is done again",
    async put(from, to) {
      const numbers = numbersFrom(from, to).filter((n) => n % 5 === 0);
      // Some events are there before anybody waits for them.
      await enqueue(works, "workflow", numbers);
      await send(numbers.filter((n) => n % 2 === 0));
      begun.push(...numbers.filter((n) => n % 2 === 1));
    },
    ended: () => send(begun),
    isOver: () => areDone(works, ["workflow"]),
    async check(count) {
      const all = ofAll(count);
      isExactly(await effectsOf(works, "second"), all, "the step in a transaction");
      isExactly(await effectsOf(works, "workflow"), all, "the end, with the event's payload");
      for (const page of ["first", "awake"]) isAtLeastOnce(works.book.page(page), all, page);
      const behind = new Set<number>();
      for (const { page, n } of works.book.notes) {
        if (page === "behind-first") behind.add(n);
        if (page === "first") expect(behind.has(n), `${n} did a remembered step again, seed ${seed}`).toBe(false);
      }
      expect(behind.size).toBe(all.length);
    },
  };
}
