import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FunctionsApp, openFunctionsApp } from "../host/app.testing.ts";
import { openWeather, type Weather } from "./http-client/weather.testing.ts";

const alice = "00000000-0000-4000-8000-00000000000a";

const files = {
  "notes.ts": `
    import { serve } from "@mainstay/functions";
    const work = {
      async add(ctx, { text, as }) {
        return ctx.transaction(async (tx) => {
          const rows = await tx.sql\`insert into notes (text) values (\${text}) returning id, text, owner\`;
          await tx.jobs.enqueue("greet", { text });
          return rows;
        }, { as });
      },
      async half(ctx, { text }) {
        await ctx.transaction(async (tx) => {
          await tx.sql\`insert into notes (text) values (\${text})\`;
          await tx.jobs.enqueue("never", {});
          throw new Error("on purpose");
        });
      },
      async leave(ctx, { text }) {
        let leave;
        void ctx.transaction(async (tx) => {
          await tx.sql\`insert into notes (text) values (\${text})\`;
          leave();
          await new Promise(() => {});
        }).catch(() => {});
        await new Promise((resolve) => { leave = resolve; });
        return "left";
      },
      many: (ctx) => Promise.all([1, 2, 3].map(() => ctx.transaction((tx) => tx.sql\`select pg_sleep(0.05)\`))),
      async rest(ctx, { as }) {
        const { data, error } = await (as === "admin" ? ctx.admin : ctx.db).from("notes").select("text").order("id");
        return data ?? error;
      },
      async users(ctx) {
        const { data, error } = await ctx.admin.auth.admin.listUsers();
        return error?.message ?? data.users.length;
      },
      async files(ctx) {
        const made = await ctx.admin.storage.createBucket("docs", { public: false });
        const up = await ctx.admin.storage.from("docs").upload("a.txt", new Blob(["hello"]), { contentType: "text/plain" });
        const down = await ctx.admin.storage.from("docs").download("a.txt");
        return [made.error?.message ?? null, up.error?.message ?? null, await down.data.text()];
      },
      async jobs(ctx, { text }) {
        const one = await ctx.jobs.enqueue("later", { text }, { key: text, delayMs: 3_600_000 });
        const again = await ctx.jobs.enqueue("later", { text }, { key: text });
        const seen = await ctx.jobs.get(one.id);
        return [one.isNew, again.isNew, again.id === one.id, seen.payload, seen.state, await ctx.jobs.cancel(one.id)];
      },
      reserved: (ctx) => ctx.jobs.enqueue("mainstay.webhook", {}),
      weather: async (ctx, { url }) => {
        const options = { cacheMs: 60_000 };
        await ctx.http.request(url, options);
        const answer = await ctx.http.request(url, options);
        return [answer.source, answer.status, answer.json()];
      },
    };
    serve(async (request, ctx) => {
      const { what, ...options } = await request.json();
      try {
        return Response.json({ value: await work[what](ctx, options) });
      } catch (error) {
        return Response.json({ code: error.code, message: error.message, detail: error.detail }, { status: 500 });
      }
    });
  `,
};

let app: FunctionsApp;
let weather: Weather;
let token: string;
beforeAll(async () => {
  weather = await openWeather();
  app = await openFunctionsApp(files, {
    sql: `
      create table public.notes (id bigint generated always as identity primary key, owner uuid default auth.uid(), text text unique);
      alter table public.notes enable row level security;
      create policy own on public.notes using (owner = auth.uid()) with check (owner = auth.uid());
      grant all on public.notes to anon, authenticated, service_role;`,
    settings: { functions: { functionsAllowedHosts: ["127.0.0.1"], functionsTransactionsEach: 2 } },
  });
  const made = await fetch(`${app.url}/auth/v1/admin/users`, {
    method: "POST",
    headers: {
      apikey: app.serviceRoleKey,
      authorization: `Bearer ${app.serviceRoleKey}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({
      id: alice,
      email: "alice@example.com",
      password: "correct horse battery",
      email_confirm: true,
    }),
  });
  expect(made.status).toBe(200);
  const signedIn = await fetch(`${app.url}/auth/v1/token?grant_type=password`, {
    method: "POST",
    headers: { apikey: app.anonKey, "content-type": "application/json" },
    body: JSON.stringify({ email: "alice@example.com", password: "correct horse battery" }),
  });
  token = ((await signedIn.json()) as { access_token: string }).access_token;
});
afterAll(async () => {
  await app?.stop();
  await weather?.stop();
});

async function ask(
  what: string,
  options: Record<string, unknown> = {},
  bearer = token,
): Promise<Record<string, unknown>> {
  const answer = await app.call("notes", {
    method: "POST",
    headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
    body: JSON.stringify({ what, ...options }),
  });
  return (await answer.json()) as Record<string, unknown>;
}

const jobsNamed = (name: string) => app.sql("select id from mainstay.jobs where name = $1", [name]);

describe("ctx.transaction", () => {
  test("as the caller: row level security holds, and a job is there when it commits", async () => {
    const { value } = await ask("add", { text: "first" });
    expect(value).toEqual([{ id: 1, text: "first", owner: alice }]);
    expect(await jobsNamed("greet")).toHaveLength(1);
    const refused = await ask("add", { text: "nobody's" }, app.anonKey);
    expect(refused).toMatchObject({ code: "42501" });
  });

  test("as the service role, and errors with what PostgreSQL says", async () => {
    expect(await ask("add", { text: "admin's", as: "admin" })).toMatchObject({ value: [{ owner: null }] });
    expect(await ask("add", { text: "first", as: "admin" })).toMatchObject({
      code: "23505",
      detail: "Key (text)=(first) already exists.",
    });
  });

  test("X11 nothing of it is kept when its function throws", async () => {
    expect(await ask("half", { text: "half" })).toMatchObject({ message: "on purpose" });
    expect(await app.sql("select from notes where text = 'half'")).toEqual([]);
    expect(await jobsNamed("never")).toEqual([]);
  });

  test("X23 what an invocation leaves open ends with it", async () => {
    expect(await ask("leave", { text: "left open" })).toEqual({ value: "left" });
    await expect
      .poll(() =>
        app.sql(
          "select from pg_stat_activity where application_name = 'mainstay functions' and state <> 'idle' and datname = current_database()",
        ),
      )
      .toEqual([]);
    expect(await app.sql("select from notes where text = 'left open'")).toEqual([]);
  });

  test("only so many at once for one invocation", async () => {
    expect(await ask("many")).toMatchObject({ code: "functions/too-many-transactions" });
  });
});

describe("the server's own routes", () => {
  test("ctx.db is the caller, ctx.admin the service role", async () => {
    expect((await ask("rest")).value).toEqual([{ text: "first" }]);
    expect((await ask("rest", {}, app.anonKey)).value).toEqual([]);
    expect((await ask("rest", { as: "admin" }, app.anonKey)).value).toEqual([{ text: "first" }, { text: "admin's" }]);
  });

  test("accounts and files", async () => {
    expect((await ask("users")).value).toBe(1);
    expect((await ask("files")).value).toEqual([null, null, "hello"]);
  });
});

test("ctx.jobs", async () => {
  expect((await ask("jobs", { text: "once" })).value).toEqual([true, false, true, { text: "once" }, "ready", true]);
  expect(await ask("reserved")).toMatchObject({ code: "functions/reserved-name" });
});

test("ctx.http", async () => {
  expect((await ask("weather", { url: weather.url })).value).toEqual(["cache", 200, { sky: "clear", count: 1 }]);
  expect(await ask("weather", { url: "http://10.0.0.1/" })).toMatchObject({ code: "address" });
  expect(await ask("weather", { url: "file:///etc/passwd" })).toMatchObject({ code: "functions/invalid-argument" });
});
