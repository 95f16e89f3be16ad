import { expect } from "vitest";
import { fraction, seed } from "../../random.ts";
import type { Works } from "../app.ts";
import { isAtLeastOnce, isExactly, numbersFrom, numbersUpTo, type Work } from "./work.ts";

const isOrdered = (n: number): boolean => n % 4 === 1;
const isAsked = (n: number): boolean => n % 4 === 2;

/** Webhooks on a table, and requests by `net.http_post`; the receiver refuses some of the former. */
export function webhooks(works: Works): Work {
  works.book.refuses = (page) => page === "hook" && fraction() < 0.05;
  return {
    promise: "every delivery comes at least once, under one id; every request of SQL is made",
    async put(from, to) {
      const numbers = numbersFrom(from, to);
      await works.sql.run("insert into public.orders select unnest($1::int[]) on conflict do nothing", [
        numbers.filter(isOrdered),
      ]);
      await works.sql.run(
        `with made as (insert into public.asked select unnest($2::int[]) on conflict do nothing returning n)
         select net.http_post($1 || '/net/' || n, '{}'::jsonb) from made`,
        [works.book.url, numbers.filter(isAsked)],
      );
    },
    async isOver(count) {
      const all = numbersUpTo(count);
      const [found] = await works.sql.run(`
        select (select count(*) from mainstay.webhook_deliveries where state = 'delivered')::int as delivered,
          (select count(*) from net._http_response)::int as answered`);
      expect(found, `seed ${seed}`).toEqual({
        delivered: all.filter(isOrdered).length,
        answered: all.filter(isAsked).length,
      });
    },
    async check(count) {
      const all = numbersUpTo(count);
      const hooks = works.book.page("hook");
      isAtLeastOnce(hooks, all.filter(isOrdered), "webhooks");
      const ids = new Map(hooks.map(({ id, n }) => [id, n]));
      expect(ids.has(null)).toBe(false);
      isExactly([...ids.values()], all.filter(isOrdered), "ids of webhooks");
      isAtLeastOnce(works.book.page("net"), all.filter(isAsked), "net.http_post");
      const answers = await works.sql.run("select status_code, error_msg from net._http_response group by 1, 2");
      expect(answers).toEqual([{ status_code: 204, error_msg: null }]);
    },
  };
}
