import { expect } from "vitest";
import { seed } from "../../random.ts";
import type { Works } from "../app.ts";
import { isAtLeastOnce, isExactly, numbersFrom, numbersUpTo, type Work } from "./work.ts";

const isSent = (n: number): boolean => n % 3 === 0;
const readers = 2;
const hiddenSeconds = 2;

interface Message {
  readonly msg_id: number;
  /** Hidden until then, by PostgreSQL's clock. */
  readonly vt: string;
  readonly message: { readonly n: number };
}

interface Reading {
  readonly n: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/** A queue of pgmq: written by SQL, read and deleted with supabase-js by two at once. */
export function letters(works: Works): Work {
  const readings: Reading[] = [];
  const left = new Set<number>();
  let isEnded = false;
  const rpc = (name: string, args: Readonly<Record<string, unknown>>) =>
    works.asking(
      (client) =>
        client.schema("pgmq_public").rpc(name, { queue_name: "letters", ...args }) as unknown as PromiseLike<{
          readonly data: unknown;
          readonly error: unknown;
        }>,
    );
  const read = async (): Promise<void> => {
    while (!isEnded || left.size > 0) {
      const found = (await rpc("read", { sleep_seconds: hiddenSeconds, n: 10 })) as readonly Message[];
      for (const { msg_id, vt, message } of found) {
        const toMs = Date.parse(vt);
        readings.push({ n: message.n, fromMs: toMs - hiddenSeconds * 1_000, toMs });
        // Some readers die before they have done with a message: it comes again.
        if (message.n % 27 === 0 && readings.filter(({ n }) => n === message.n).length === 1) continue;
        await rpc("delete", { message_id: msg_id });
        left.delete(message.n);
      }
      if (found.length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const reading = Promise.all(Array.from({ length: readers }, read));
  return {
    promise: "a message in a queue is read until somebody deletes it, and by one at a time",
    async put(from, to) {
      const numbers = numbersFrom(from, to).filter(isSent);
      for (const n of numbers) left.add(n);
      await works.sql.run(
        `with made as (insert into public.sent select unnest($1::int[]) on conflict do nothing returning n)
         select pgmq.send('letters', jsonb_build_object('n', n)) from made`,
        [numbers],
      );
    },
    ended() {
      isEnded = true;
    },
    async isOver() {
      expect([...left].slice(0, 10), `seed ${seed}`).toEqual([]);
      await reading;
    },
    async check(count) {
      const all = numbersUpTo(count).filter(isSent);
      isAtLeastOnce(
        readings.map(({ n }) => ({ page: "", n, node: null, id: null })),
        all,
        "read",
      );
      for (const [n, times] of Map.groupBy(readings, (one) => one.n)) {
        const sorted = times.toSorted((a, b) => a.fromMs - b.fromMs);
        for (const [at, { toMs }] of sorted.slice(0, -1).entries()) {
          expect(sorted[at + 1]!.fromMs, `${n} was read within its time, seed ${seed}`).toBeGreaterThanOrEqual(toMs);
        }
      }
      const [rest] = await works.sql.run("select count(*)::int from pgmq.q_letters");
      expect(rest!.count).toBe(0);
      isExactly([...new Set(readings.map(({ n }) => n))], all, "letters");
    },
  };
}
