import { monitorEventLoopDelay } from "node:perf_hooks";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fixture, startWatched, type WatchedApp } from "./app.ts";
import { type AskOptions, ask } from "./ask.ts";

/** Rows enough for a slow condition to be slow. */
const heavy = `
  create table public.long_lines (id integer primary key, line text not null);
  insert into public.long_lines select n, repeat('a', 40) || '!' from generate_series(1, 3000) n;
  insert into public.long_lines values (5000, repeat('ab', 40) || '!aaaaaaa');
  grant all on public.long_lines to anon, authenticated, service_role;
  -- For this database alone: roles belong to the cluster.
  do $$ begin execute format('alter role anon in database %I set statement_timeout = ''1s''', current_database()); end $$;
  create function public.forever() returns bigint language sql stable
    as $$ select count(*) from generate_series(1, 100000) a, generate_series(1, 100000) b $$;
`;

let app: WatchedApp;
beforeAll(async () => {
  app = await startWatched(fixture + heavy);
});
afterAll(() => app.stop());

const rest = (path: string, options?: AskOptions) => ask(app, path, options);

describe("B10 B11: what runs away is ended, and nobody else waits for it", () => {
  const bad = "^(((((a{1,30}){1,30}){1,30})*)*)*$";

  test.each([
    [
      "a regular expression with a POSIX engine's worst case",
      `/long_lines?select=id&line=match.${encodeURIComponent(bad)}`,
    ],
    [
      "(a+)+$ and its kin",
      `/long_lines?select=id&or=(line.match."(a%2B)%2B$",line.match."(a|aa)%2B$",line.imatch."^(a%3Fa%3F)*$")`,
    ],
    [
      "a regular expression of 2,000 groups",
      `/long_lines?select=id&line=match.${"(".repeat(2_000)}a${")".repeat(2_000)}`,
    ],
    ["back-references", `/long_lines?select=id&line=match.${encodeURIComponent("^(a*)(a*)(a*)\\1\\2\\3b$")}`],
    [
      "back-references that backtrack",
      `/long_lines?select=id&id=eq.5000&line=match.${encodeURIComponent("^(.*)(.*)(.*)(.*)(.*)(.*)!\\1\\2a\\3\\4a\\5\\6\\1\\2$")}`,
    ],
    ["a LIKE of many wildcards", `/long_lines?select=id&line=like.${"*a".repeat(300)}b`],
    ["a similar filter for text search", `/long_lines?select=id&line=fts.${"a%26".repeat(3_000)}a`],
  ])("%s leaves the event loop free", async (_what, path) => {
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    const slow = rest(path, { as: app.anonKey });
    const others: number[] = [];
    for (let at = 0; at < 20; at++) others.push((await rest("/letters?id=eq.1")).status);
    const answer = await slow;
    delay.disable();
    console.info(`${answer.status} ${answer.text.slice(0, 80)}; longest delay ${(delay.max / 1e6).toFixed(0)} ms`);
    expect(new Set(others)).toEqual(new Set([200]));
    // Well-formed and quick, refused, or ended by the role's own timeout: never anything else.
    expect([200, 400, 500]).toContain(answer.status);
    if (answer.status === 500)
      expect(JSON.parse(answer.text)).toMatchObject({ code: expect.stringMatching(/^(?:57014|54)/) });
    expect(delay.max / 1e6).toBeLessThan(1_000);
  });

  test("and one of these really had to be ended", async () => {
    const pattern = encodeURIComponent("^(.*)(.*)(.*)(.*)(.*)(.*)!\\1\\2a\\3\\4a\\5\\6\\1\\2$");
    const answer = await rest(`/long_lines?select=id&line=match.${pattern}`, { as: app.anonKey });
    expect(JSON.parse(answer.text)).toMatchObject({ code: "57014" });
  });

  test("a function without end is ended by the caller's statement_timeout", async () => {
    const answer = await rest("/rpc/forever", { as: app.anonKey });
    expect(answer.status).toBe(500);
    expect(JSON.parse(answer.text)).toMatchObject({ code: "57014" });
    const [row] = await app.sql(
      "select count(*)::int as n from pg_stat_activity where datname = current_database() and state = 'active' and query like '%forever%' and pid <> pg_backend_pid()",
    );
    expect(row).toEqual({ n: 0 });
  });

  test("a cross join is not something one can ask for; an answer has 1,000 rows at most", async () => {
    expect(JSON.parse((await rest("/long_lines?select=id")).text)).toHaveLength(1_000);
    expect(
      (await rest("/long_lines?select=id&limit=100000000", { headers: { range: "0-9999999" } })).headers[
        "content-range"
      ],
    ).toBe("0-999/*");
    expect((await rest("/long_lines,letters?select=*")).status).toBe(404);
  });
});
