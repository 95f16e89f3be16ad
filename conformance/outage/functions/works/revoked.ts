import { expect } from "vitest";
import { seed } from "../../random.ts";
import type { Works } from "../app.ts";
import { areDone, effectsOf, enqueue, isExactly, numbersFrom, type Work } from "./work.ts";

/** Jobs that are cancelled before, while and after they run; every second one is then run again. */
export function revoked(works: Works): Work {
  const ids = new Map<string, number>();
  const ask = (what: "cancel" | "retry", id: string) =>
    works.asking(({ functions }) => functions.invoke<boolean>(`desk/${what}`, { body: JSON.stringify(id) }));
  return {
    promise: "a job that was cancelled has no effect, one that is run again has it once",
    async put(from, to) {
      const numbers = numbersFrom(from, to).filter((n) => n % 10 === 0);
      const made = await enqueue(works, "revoked", numbers, (n) => ({ delay_ms: n % 3 === 0 ? 0 : n % 70 }));
      for (const [at, n] of numbers.entries()) ids.set(made[at]!, n);
      await Promise.all(
        made.map(async (id, at) => {
          await ask("cancel", id);
          if (numbers[at]! % 20 === 0) await ask("retry", id);
        }),
      );
    },
    isOver: () => areDone(works, ["revoked"]),
    async check() {
      const rows = await works.sql.run("select id, state from mainstay.jobs where name = 'revoked'");
      expect(rows, `seed ${seed}`).toHaveLength(ids.size);
      const numbersIn = (state: number) =>
        rows.flatMap(({ id, state: is }) => (is === state ? [ids.get(String(id))!] : []));
      isExactly(await effectsOf(works, "revoked"), numbersIn(4), "what is done has happened");
      const [again, cancelled] = [[...ids.values()].filter((n) => n % 20 === 0), numbersIn(6)];
      expect(cancelled.filter((n) => again.includes(n))).toEqual([]);
      expect(cancelled.length, "nothing was cancelled in time").toBeGreaterThan(0);
    },
  };
}
