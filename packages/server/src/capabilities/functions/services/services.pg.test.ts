import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FunctionsApp, openFunctionsApp } from "../host/app.testing.ts";
import { openWeather, type Weather } from "./http-client/weather.testing.ts";

const alice = "00000000-0000-4000-8000-00000000000a";

const files = {
  // Passes a request on to the project's own URL, with whatever it is told to send.
  "pass.ts": `
    Deno.serve(async (request) => {
      const { method, path, headers, body } = await request.json();
      const answer = await fetch(Deno.env.get("SUPABASE_URL") + path, { method, headers, body });
      return Response.json({ status: answer.status, headers: [...answer.headers], body: await answer.text() });
    });
  `,
  "self.ts": `
    Deno.serve(async (request) => {
      const answer = await fetch(Deno.env.get("SUPABASE_URL") + "/functions/v1/self", { headers: { authorization: request.headers.get("authorization") } });
      return answer.status === 200 ? answer : new Response(answer.status + ": " + await answer.text());
    });
  `,
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
      mail: async (ctx, { mail }) => typeof (await ctx.mail.send(mail)).id,
      mailIn: (ctx, { mail, fails }) => ctx.transaction(async (tx) => {
        await tx.mail.send(mail);
        if (fails) throw new Error("undone");
      }),
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
    settings: {
      auth: { inbox: "on", environment: "test", mailFromName: "Notes", siteUrl: "https://notes.example" },
      functions: {
        functionsAllowedHosts: ["127.0.0.1"],
        functionsTransactionsEach: 2,
        functionsDepthLimit: 3,
        functionsBlockedMs: 30_000,
      },
    },
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

describe("a request to the project's own URL answers as over a socket", () => {
  test.each([
    ["GET", "/rest/v1/notes?select=text", "user", null],
    ["GET", "/rest/v1/notes?select=text", "anon", null],
    ["GET", "/rest/v1/notes?select=text", "service", null],
    ["GET", "/rest/v1/notes?select=text", "none", null],
    ["GET", "/rest/v1/notes?select=text", "forged", null],
    ["GET", "/rest/v1/notes?limit=1&offset=1", "service", null],
    ["GET", "/rest/v1/absent", "user", null],
    ["GET", "/rest/v1/notes?text=foo.bar", "user", null],
    ["HEAD", "/rest/v1/notes", "user", null],
    ["POST", "/rest/v1/notes", "user", '{"text":"first"}'],
    ["POST", "/rest/v1/notes", "anon", '{"text":"no"}'],
    ["POST", "/rest/v1/notes", "user", "{"],
    ["DELETE", "/rest/v1/notes?id=eq.0", "user", null],
    ["OPTIONS", "/rest/v1/notes", "user", null],
    ["PUT", "/rest/v1/rpc/x", "user", null],
    ["GET", "/auth/v1/user", "user", null],
    ["GET", "/auth/v1/user", "anon", null],
    ["GET", "/auth/v1/admin/users", "user", null],
    ["GET", "/auth/v1/admin/users", "service", null],
    ["POST", "/auth/v1/token?grant_type=nonsense", "anon", "{}"],
    ["GET", "/auth/v1/settings", "anon", null],
    ["GET", "/storage/v1/bucket", "service", null],
    ["GET", "/storage/v1/bucket", "user", null],
    ["GET", "/storage/v1/object/docs/a.txt", "service", null],
    ["GET", "/storage/v1/object/docs/a.txt", "user", null],
    ["GET", "/storage/v1/object/public/docs/a.txt", "none", null],
    ["GET", "/health/live", "none", null],
    ["GET", "/absent", "none", null],
    ["GET", "/rest/v1/%zz", "user", null],
    ["POST", "/functions/v1/absent", "user", "{}"],
    ["POST", "/functions/v1/notes", "none", "{}"],
  ])("%s %s as %s", async (method, path, who, body) => {
    const keys: Record<string, Record<string, string>> = {
      user: { apikey: app.anonKey, authorization: `Bearer ${token}` },
      anon: { apikey: app.anonKey },
      service: { apikey: app.serviceRoleKey, authorization: `Bearer ${app.serviceRoleKey}` },
      forged: { apikey: app.anonKey, authorization: "Bearer internal" },
      none: {},
    };
    const headers = { ...keys[who], ...(body === null ? {} : { "content-type": "application/json" }) };
    const over = await fetch(app.url + path, { method, headers, body });
    const passed = await app.call("pass", { method: "POST", body: JSON.stringify({ method, path, headers, body }) });
    const within = (await passed.json()) as { status: number; headers: [string, string][]; body: string };
    const text = (of: string) => of.replaceAll(/"(?:requestId|last_sign_in_at|updated_at)":"[^"]*"/g, "");
    expect([within.status, text(within.body)]).toEqual([over.status, text(await over.text())]);
    for (const name of [
      "content-type",
      "content-range",
      "content-location",
      "cache-control",
      "allow",
      "etag",
      "proxy-status",
      "x-relay-error",
    ]) {
      expect([name, new Headers(within.headers).get(name)]).toEqual([name, over.headers.get(name)]);
    }
  });
});

test("X12 a function that calls itself comes to an end", async () => {
  const answer = await app.call("self");
  expect(await answer.text()).toMatch(/^508: .*(?:too-deep|called each other)/);
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

describe("ctx.mail", () => {
  const mailsTo = async (to: string) => {
    const answer = await fetch(`${app.url}/inbox/api/messages?to=${to}`);
    const { messages } = (await answer.json()) as { messages: { id: string }[] };
    return Promise.all(
      messages.map(async ({ id }) => {
        const message = await fetch(`${app.url}/inbox/api/messages/${id}`);
        return (await message.json()) as Record<string, unknown>;
      }),
    );
  };
  const arrived = (to: string) => expect.poll(() => mailsTo(to), { interval: 20 });

  test("words reach the reader in the server's layout, which escapes them, and a document as it is", async () => {
    const text = "Dear <b>Ada</b>,\nhere it is.\n\nYours\n";
    expect(await ask("mail", { mail: { to: "ada@example.com", subject: "R&D <1>", text } })).toEqual({
      value: "string",
    });
    await arrived("ada@example.com").toEqual([
      expect.objectContaining({
        subject: "R&D <1>",
        text,
        html: expect.stringMatching(
          /R&amp;D &lt;1&gt;<\/h1>[\s\S]*<p [^>]*>Dear &lt;b&gt;Ada&lt;\/b&gt;,\nhere it is\.<\/p><p [^>]*>Yours<\/p>/,
        ),
        from: { address: expect.stringMatching(/^no-reply@/), name: "Notes" },
        headers: expect.objectContaining({ "Auto-Submitted": "auto-generated" }),
      }),
    ]);
    const html = "<h1>Yours</h1><p>For ever</p>";
    await ask("mail", { mail: { to: "bob@example.com", subject: "Both", html, replyTo: "me@example.com" } });
    await arrived("bob@example.com").toEqual([
      expect.objectContaining({
        html,
        text: "Yours\n\nFor ever",
        headers: expect.objectContaining({ "Reply-To": "me@example.com" }),
      }),
    ]);
  });

  test("X11 of a transaction that is undone none leaves", async () => {
    const mail = { to: "cid@example.com", subject: "First", text: "It failed." };
    expect(await ask("mailIn", { mail, fails: true })).toMatchObject({ message: "undone" });
    await ask("mailIn", { mail: { ...mail, subject: "Second" } });
    await arrived("cid@example.com").toEqual([expect.objectContaining({ subject: "Second" })]);
    // Its own row goes a moment after it has left.
    await expect.poll(() => app.sql("select from mainstay.outbox")).toEqual([]);
  });

  test("a refusal has a code and says what to do", async () => {
    expect(await ask("mail", { mail: { to: "Ada <ada@example.com>", subject: "x", text: "y" } })).toEqual({
      code: "functions/invalid-argument",
      message: "mail.send: to must be one address, such as ada@example.com.",
      detail: null,
    });
  });
});
