import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, mint, startApp, userToken } from "../app.ts";

let app: App;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.stop());

interface Context {
  readonly role: string;
  readonly claims: Record<string, unknown>;
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly cookies: Record<string, string>;
  readonly search_path: string;
  readonly read_only: string;
}
const context = async (options: Parameters<App["rest"]>[1] = {}, path = "/rpc/who_am_i") =>
  (await app.rest(path, options)).json as Context;

describe("rest: transaction context", () => {
  it("an anonymous request", async () => {
    const seen = await context();
    expect(seen).toMatchObject({
      role: "anon",
      claims: { role: "anon" },
      method: "GET",
      path: "/rpc/who_am_i",
      read_only: "on",
    });
    expect(seen.search_path).toMatch(/^"?public"?,.*extensions/);
  });

  it("a user's request: role, all claims, auth.uid()", async () => {
    const sub = randomUUID();
    const token = mint({ sub, role: "authenticated", app_metadata: { plan: "gold" }, nested: { a: [1, "ü"] } });
    expect(await context({ as: token })).toMatchObject({
      role: "authenticated",
      claims: { sub, role: "authenticated", app_metadata: { plan: "gold" }, nested: { a: [1, "ü"] } },
    });
    expect((await app.rest("/rpc/uid", { as: token })).json).toBe(sub);
    expect((await app.rest("/rpc/uid")).json).toBeNull();
  });

  it("a service key's request", async () => {
    expect(await context({ as: app.serviceRoleKey })).toMatchObject({
      role: "service_role",
      claims: { role: "service_role" },
    });
  });

  it("headers by lower-case name, cookies, method and path", async () => {
    const seen = await context(
      { method: "POST", body: {}, headers: { "X-Shoe-Size": "42", Cookie: "first=1; second=two" } },
      "/rpc/who_am_i_writing",
    );
    expect(seen).toMatchObject({
      method: "POST",
      path: "/rpc/who_am_i_writing",
      headers: { "x-shoe-size": "42" },
      cookies: { first: "1", second: "two" },
      read_only: "off",
    });
  });

  it("the active schema leads the search path", async () => {
    await app.sql(`
      create function extra.path() returns text language sql stable as $$ select current_setting('search_path') $$;
      notify pgrst, 'reload schema'`);
    await expect
      .poll(async () => (await app.rest("/rpc/path", { headers: { "Accept-Profile": "extra" } })).json)
      .toMatch(/^"?extra"?, *"?public"?/);
  });

  it("response.status and response.headers override the reply", async () => {
    const body = {
      status: "203",
      headers: '[{"X-First": "one"}, {"Content-Type": "text/vnd.own"}, {"Set-Cookie": "a=b"}]',
    };
    const answer = await app.rest("/rpc/answer_with", { method: "POST", body });
    expect(answer.status).toBe(203);
    expect(answer.headers.get("x-first")).toBe("one");
    expect(answer.headers.get("content-type")).toBe("text/vnd.own");
    expect(answer.headers.getSetCookie()).toEqual(["a=b"]);
  });

  it.each([
    ["a bad status", { status: "four", headers: "[]" }, "PGRST112"],
    ["bad headers", { status: "200", headers: '{"not": "an array"}' }, "PGRST111"],
  ])("%s is 500", async (_what, body, code) => {
    expect(await app.rest("/rpc/answer_with", { method: "POST", body })).toMatchObject({ status: 500, json: { code } });
  });

  it("policies decide what a user reads and writes", async () => {
    const [ann, bob] = [userToken(randomUUID()), userToken(randomUUID())];
    const note = await app.rest("/notes?select=body", {
      method: "POST",
      body: { body: "Ann's" },
      as: ann,
      headers: { Prefer: "return=representation" },
    });
    expect(note).toMatchObject({ status: 201, json: [{ body: "Ann's" }] });
    expect((await app.rest("/notes?select=body", { as: ann })).json).toEqual([{ body: "Ann's" }]);
    for (const stranger of [bob, app.anonKey]) {
      expect((await app.rest("/notes", { as: stranger })).json).toEqual([]);
      await app.rest("/notes?body=like.*", { method: "PATCH", body: { body: "stolen" }, as: stranger });
      await app.rest("/notes?body=like.*", { method: "DELETE", as: stranger });
    }
    const forged = { method: "POST", body: { body: "x", owner_id: randomUUID() }, as: bob };
    expect(await app.rest("/notes", forged)).toMatchObject({ status: 403, json: { code: "42501" } });
    expect((await app.rest("/notes?select=body", { as: app.serviceRoleKey })).json).toEqual([{ body: "Ann's" }]);
  });

  it("B15 an upsert onto another's key is refused, and changes nothing", async () => {
    const [ann, bob] = [userToken(randomUUID()), userToken(randomUUID())];
    const returned = { Prefer: "return=representation" };
    const note = await app.rest("/notes", { method: "POST", body: { body: "mine" }, as: ann, headers: returned });
    const { id } = (note.json as [{ id: number }])[0];
    await app.sql("alter table notes alter column id set generated by default");
    const answer = await app.rest("/notes", {
      method: "POST",
      body: { id, body: "taken" },
      as: bob,
      headers: { Prefer: "resolution=merge-duplicates" },
    });
    expect(answer).toMatchObject({ status: 403, json: { code: "42501" } });
    expect((await app.rest(`/notes?select=body&id=eq.${id}`, { as: ann })).json).toEqual([{ body: "mine" }]);
  });

  it("B04 who asks never leaks into another request", async () => {
    const users = Array.from({ length: 20 }, () => randomUUID());
    const asked = Array.from({ length: 400 }, (_, i) => users[i % users.length]!);
    const answers = await Promise.all(
      asked.map(async (sub, i) => {
        // Every third one fails, every fifth one is anonymous: an error must not leave its role behind either.
        if (i % 3 === 0) await app.rest("/letters?id=eq.bad", { as: userToken(sub) });
        return i % 5 === 0
          ? (await app.rest("/rpc/uid")).json
          : (await app.rest("/rpc/uid", { as: userToken(sub) })).json;
      }),
    );
    expect(answers).toEqual(asked.map((sub, i) => (i % 5 === 0 ? null : sub)));
  });
});

describe("rest: pre-request function", () => {
  let guarded: App;
  beforeAll(async () => {
    guarded = await startApp({ data: { preRequest: "public.guard" } });
    await guarded.sql(`
      create function public.guard() returns void language plpgsql as $$
      begin
        if current_setting('request.headers', true)::json ->> 'x-blocked' is not null then
          raise sqlstate 'PT403' using message = 'Blocked';
        end if;
      end $$;`);
  });
  afterAll(() => guarded.stop());

  it("runs before the statement and can refuse it", async () => {
    expect((await guarded.rest("/letters?limit=1")).status).toBe(200);
    expect(await guarded.rest("/letters?limit=1", { headers: { "X-Blocked": "yes" } })).toMatchObject({
      status: 403,
      json: { code: "PT403", message: "Blocked" },
    });
  });
});

describe("rest: schema cache", () => {
  it("sees a new table, column, function and foreign key without a restart", async () => {
    await app.sql(
      "create table public.fresh (id integer primary key, letter_id integer references public.letters (id))",
    );
    await app.sql(
      "grant all on public.fresh to anon; insert into public.fresh values (1, 2); notify pgrst, 'reload schema'",
    );
    await expect
      .poll(async () => (await app.rest("/fresh?select=id,letters(letter)")).json)
      .toEqual([{ id: 1, letters: { letter: "b" } }]);
    await app.sql("alter table public.fresh add column extra_column text default 'x'");
    await expect.poll(async () => (await app.rest("/fresh?select=extra_column")).json).toEqual([{ extra_column: "x" }]);
    await app.sql("drop table public.fresh");
    await expect.poll(async () => (await app.rest("/fresh")).status).toBe(404);
  });
});
