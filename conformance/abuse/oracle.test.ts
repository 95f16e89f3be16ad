import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ann, fixture, readSql, startWatched, type WatchedApp } from "./app.ts";
import { ask as askApp } from "./ask.ts";
import { type Question, reads, writes } from "./questions.ts";
import { type Answer, inParallel } from "./send.ts";

const annId = "6f0c8d2e-0000-4000-8000-00000000000a";
const bobId = "6f0c8d2e-0000-4000-8000-00000000000b";

let app: WatchedApp;
beforeAll(async () => {
  app = await startWatched(fixture + readSql("oracle.sql"), {
    data: { schemas: ["public", "extra"], txEnd: "commit-allow-override", aggregatesEnabled: true },
  });
});
afterAll(() => app.stop());

const ask = ({ path, ...options }: Question, as = ann): Promise<Answer> => askApp(app, path, { ...options, as });

/** What ann may see is the same in both worlds; all else differs: how much, how many, whose, and whether it can be read as a number. */
async function makeWorld(which: "one" | "other"): Promise<void> {
  const isOne = which === "one";
  await app.sql(`
    truncate public.people, public.ledgers, public.diary, public.comments;
    insert into public.people select n, 'person ' || n, ${isOne ? "n * 10" : "1000 - n"}, '${isOne ? "7" : "not a number"}' from generate_series(1, 5) n;
    insert into public.ledgers select n, 'ledger ${which} ' || n from generate_series(1, ${isOne ? 3 : 40}) n;
    insert into public.diary values
      (1, '${annId}', 'mine 1', 3, 'mine', 1, 1), (2, '${annId}', 'mine 2', 5, null, 2, null),
      (10, '${bobId}', '${isOne ? "alpha secret" : "zulu"}', ${isOne ? 3 : 900}, '${isOne ? "his" : "hers"}', ${isOne ? 1 : 4}, ${isOne ? 1 : 3});
    insert into public.diary select n, '${bobId}', '${isOne ? "12" : "mine and yours"} ' || n, n, null, null, null from generate_series(20, ${isOne ? 22 : 500}) n;
    insert into public.comments values (1, 1, 'on mine'), (2, 10, '${isOne ? "on his" : "something else"}');
    insert into public.comments select n, 10, 'x' from generate_series(30, ${isOne ? 30 : 90}) n;
    analyze public.people, public.ledgers, public.diary, public.comments;`);
}

/** All a caller can tell of an answer: an id of a request or the clock are no secret. */
const visible = ({ status, headers, text }: Answer) => ({
  status,
  range: headers["content-range"] ?? null,
  location: headers.location ?? null,
  applied: headers["preference-applied"] ?? null,
  type: headers["content-type"] ?? null,
  length: headers["content-length"] ?? null,
  text,
});

describe("B02: no answer changes with what the caller may not read", () => {
  test.each([
    ["ann", () => ann],
    ["an anonymous caller", () => app.anonKey],
  ])("asked by %s", async (_name, token) => {
    const questions = [...reads(), ...writes()];
    const answersIn = async (which: "one" | "other") => {
      await makeWorld(which);
      const answers: ReturnType<typeof visible>[] = [];
      await inParallel(questions, 8, async (question, at) => {
        answers[at] = visible(await ask(question, token()));
      });
      return answers;
    };
    const one = await answersIn("one");
    const other = await answersIn("other");
    const different = questions.flatMap((question, at) =>
      JSON.stringify(one[at]) === JSON.stringify(other[at]) ? [] : [{ question, one: one[at], other: other[at] }],
    );
    expect(different).toEqual([]);
    // The questions were not all refused, or the comparison would compare refusals.
    const answered = one.filter(({ status }) => status < 300).length;
    console.info(`${questions.length} questions, ${answered} answered`);
    if (token() === ann) expect(answered).toBeGreaterThan(questions.length / 3);
    expect(one.some(({ status }) => status >= 500)).toBe(false);
  });

  test("which the owner of the secrets can tell apart, so that the comparison can fail", async () => {
    const seen = [];
    for (const which of ["one", "other"] as const) {
      await makeWorld(which);
      seen.push((await ask({ path: "/diary?select=text&id=eq.10" }, app.serviceRoleKey)).text);
    }
    expect(seen[0]).not.toBe(seen[1]);
  });
});

describe("B07: what is not served is as what is not there", () => {
  const shape = (answer: Answer, name: string) =>
    visible({
      ...answer,
      text: answer.text.replaceAll(name, "…"),
      headers: { ...answer.headers, "content-length": undefined },
    });

  test.each([
    [
      "a table of a schema that is not served",
      { path: "/canary_gold" },
      { path: "/canary_void" },
      "canary_gold",
      "canary_void",
    ],
    [
      "a function of a schema that is not served",
      { path: "/rpc/canary_sleep", method: "POST", body: "{}" },
      { path: "/rpc/canary_sweep", method: "POST", body: "{}" },
      "canary_sleep",
      "canary_sweep",
    ],
    [
      "a function of PostgreSQL's",
      { path: "/rpc/pg_sleep", method: "POST", body: "{}" },
      { path: "/rpc/pg_sweep", method: "POST", body: "{}" },
      "pg_sleep",
      "pg_sweep",
    ],
    ["a table of PostgreSQL's", { path: "/pg_authid" }, { path: "/pg_nobody" }, "pg_authid", "pg_nobody"],
    [
      "a schema that is not served",
      { path: "/letters", headers: { "accept-profile": "vault" } },
      { path: "/letters", headers: { "accept-profile": "fault" } },
      "vault",
      "fault",
    ],
    [
      "a schema of PostgreSQL's",
      { path: "/letters", headers: { "accept-profile": "pg_catalog" } },
      { path: "/letters", headers: { "accept-profile": "pg_nowhere" } },
      "pg_catalog",
      "pg_nowhere",
    ],
    ["a system column", { path: "/letters?select=ctid" }, { path: "/letters?select=ctix" }, "ctid", "ctix"],
    [
      "a cast to a type of what exists",
      { path: "/letters?select=letter::regclass" },
      { path: "/letters?select=letter::regclasp" },
      "regclass",
      "regclasp",
    ],
  ] as const)("%s", async (_what, there, absent, name, otherName) => {
    for (const token of [app.anonKey, ann]) {
      expect(shape(await ask(there, token), name)).toEqual(shape(await ask(absent, token), otherName));
    }
  });

  test("an anonymous caller gets no hint with a name in it", async () => {
    for (const path of [
      "/ledger",
      "/peopl",
      "/canary_lockd",
      "/people?select=salar",
      "/diary?select=id,ledgerz(*)",
      "/rpc/canary_sin",
      "/rpc/how_man",
      "/films?select=canary_lock(*)",
    ]) {
      const answer = await ask({ path }, app.anonKey);
      expect(answer.status).toBeGreaterThanOrEqual(400);
      const { hint, details } = JSON.parse(answer.text) as { hint: string | null; details: string | null };
      expect(`${hint} ${details}`).not.toMatch(/ledgers|people|salary|canary_locked|canary_sing|how_many/);
    }
  });
});

describe("B15: an upsert writes nobody else's row", () => {
  const whole = () => app.sql("select * from public.diary where owner_id <> $1 order by id", [annId]);

  test.each([
    ["merging", "POST", "/diary", "resolution=merge-duplicates"],
    ["merging by another unique key", "POST", "/diary?on_conflict=slug", "resolution=merge-duplicates"],
    ["merging and showing", "POST", "/diary", "resolution=merge-duplicates,return=representation"],
    ["ignoring and showing", "POST", "/diary", "resolution=ignore-duplicates,return=representation"],
    ["putting", "PUT", "/diary?id=eq.10", "return=representation"],
  ])("%s", async (_how, method, path, prefer) => {
    await makeWorld("one");
    const before = await whole();
    for (const owner of [annId, bobId]) {
      const answer = await ask({
        method,
        path,
        body: JSON.stringify({ id: 10, text: "taken", owner_id: owner, slug: "his" }),
        headers: { prefer },
      });
      if (answer.status < 300) expect(answer.text).toMatch(/^(?:\[\])?$/);
      else expect([401, 403, 406, 409, 400]).toContain(answer.status);
      expect(answer.text).not.toContain("alpha secret");
    }
    expect(await whole()).toEqual(before);
    expect(await app.sql("select count(*)::int as n from public.diary where text = 'taken'")).toEqual([{ n: 0 }]);
  });

  test("nor gives one's own away, nor takes another's in a batch", async () => {
    await makeWorld("one");
    const before = await app.sql("select * from public.diary order by id");
    expect(
      (await ask({ method: "PATCH", path: "/diary?id=eq.1", body: JSON.stringify({ owner_id: bobId }) })).status,
    ).toBe(403);
    const batch = [
      { id: 1, text: "mine still" },
      { id: 10, text: "taken" },
    ];
    expect(
      (
        await ask({
          method: "POST",
          path: "/diary",
          body: JSON.stringify(batch),
          headers: { prefer: "resolution=merge-duplicates" },
        })
      ).status,
    ).toBe(403);
    expect(await app.sql("select * from public.diary order by id")).toEqual(before);
  });
});

describe("B17: a right dies with the thing it was for", () => {
  const settled = async (question: Question, until: (answer: Answer) => boolean): Promise<Answer> => {
    for (let attempt = 0; attempt < 600; attempt++) {
      const answer = await ask(question);
      if (until(answer)) return answer;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return ask(question);
  };

  test("a column dropped and added again by the same name is refused", async () => {
    const question = { path: "/fleeting?select=id,code" };
    expect(await ask(question)).toMatchObject({ status: 200, text: '[{"id":1,"code":"first"}]' });
    await app.sql(
      "alter table public.fleeting drop column code; alter table public.fleeting add column code text default 'second'",
    );
    expect((await settled(question, ({ status }) => status === 403)).status).toBe(403);
    expect((await ask({ path: "/fleeting?select=id&code=eq.second" })).status).toBe(403);
    expect((await ask({ path: "/fleeting" })).status).toBe(403);
    expect(await ask({ path: "/fleeting?select=id,name" })).toMatchObject({ status: 200 });
  });

  test("a table dropped and made again by the same name is refused", async () => {
    await app.sql(
      "drop table public.fleeting; create table public.fleeting (id integer primary key, name text); revoke all on public.fleeting from anon, authenticated; insert into public.fleeting values (1, 'third')",
    );
    const answer = await settled({ path: "/fleeting?select=id,name" }, ({ status }) => status === 403);
    expect(answer.status).toBe(403);
    expect(answer.text).not.toContain("third");
  });
});
