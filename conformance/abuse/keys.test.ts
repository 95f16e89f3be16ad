import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, type TestDatabase, templateDatabase, testDatabase } from "@mainstay/testing";
import { createClient } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { mint } from "./app.ts";
import { type Run, runMainstay, servesOrEnds, stop } from "./command.ts";
import { send } from "./send.ts";

let dir: string;
let database: TestDatabase;
beforeAll(async () => {
  [dir, database] = await Promise.all([
    mkdtemp(join(tmpdir(), "mainstay-keys-")),
    templateDatabase().then(testDatabase),
  ]);
  await mkdir(join(dir, "migrations"));
  await writeFile(
    join(dir, "migrations", "20260101000000_todos.sql"),
    `create table public.todos (id integer primary key, title text);
     alter table public.todos enable row level security;
     create policy "Everybody" on public.todos for select using (true);
     create function public.fail(text) returns void language plpgsql as $$ begin raise exception 'refused: %', $1; end $$;`,
  );
});
afterAll(async () => {
  await database.drop();
  await rm(dir, { recursive: true, force: true });
});

/** The real command, on this file's database. */
const mainstay = (args: readonly string[], env: Readonly<Record<string, string>>): Run =>
  runMainstay(args, dir, { DATABASE_URL: database.url, ...env });

describe("A28: no key is written down", () => {
  // What a token or key looks like, wherever it stands.
  const shapes = [/ey[\w-]{10,}\.[\w-]{10,}/, /sb_(?:secret|publishable)_\w{8,}/, /-----BEGIN/];
  // What is said at any other level is said at this one.
  const level = "trace";

  test("at the level that says most, in logs, URLs and answers, whatever is done with them", async () => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const run = mainstay(["start", "--port", String(port), "--debug"], {
      MAINSTAY_LOG_LEVEL: level,
      MAINSTAY_LOG_REQUESTS: "debug",
      MAINSTAY_AUTH_RATE_LIMITS: "false",
    });
    try {
      expect(await servesOrEnds(run, url), run.output()).toBe("serves");
      const shown = mainstay(["keys", "show", "--json"], {});
      expect(await shown.ended, shown.output()).toBe(0);
      const keys = JSON.parse(shown.output()) as {
        anonKey: string;
        serviceRoleKey: string;
        publishableKey: string;
        secretKey: string;
        jwtSecret?: string;
      };
      const secrets = Object.entries(keys).flatMap(([name, value]) =>
        name !== "url" && typeof value === "string" ? [value] : [],
      );
      expect(secrets.length).toBeGreaterThanOrEqual(4);

      const email = `${level}@example.com`;
      const password = "correct-horse-7-staple";
      const client = createClient(url, keys.anonKey, { auth: { persistSession: false, autoRefreshToken: false } });
      const { data } = await client.auth.signUp({ email, password });
      const session = data.session!;
      expect(session.access_token).toMatch(shapes[0]!);
      secrets.push(session.access_token, session.refresh_token, password);
      await client.auth.signInWithPassword({ email, password: `${password}-wrong` });
      await client.auth.refreshSession({ refresh_token: session.refresh_token });

      const answers: string[] = [];
      const foreign = mint({ role: "service_role" }, "some other server's secret, long enough to be one");
      const tokens = [...secrets, foreign, "sb_secret_0123456789abcdef0123456789", `${keys.anonKey}x`];
      for (const token of tokens) {
        for (const [target, headers] of [
          [`/rest/v1/todos?apikey=${encodeURIComponent(token)}`, {}],
          [`/rest/v1/todos?select=${encodeURIComponent(token)}`, { apikey: keys.anonKey }],
          [`/rest/v1/todos?title=eq.${encodeURIComponent(token)}`, { apikey: token, authorization: `Bearer ${token}` }],
          // A path is logged. What has no shape to know it by (a password) would be logged with it: nobody's client puts it there.
          [
            `/rest/v1/${shapes.some((shape) => shape.test(token)) ? encodeURIComponent(token) : "todos"}`,
            { apikey: keys.anonKey },
          ],
          [
            "/rest/v1/todos",
            {
              apikey: keys.anonKey,
              authorization: `Bearer ${token}`,
              cookie: `sb-access-token=${token}`,
              "x-client-info": token,
            },
          ],
          [`/auth/v1/verify?token=${encodeURIComponent(token)}&type=signup`, { apikey: keys.anonKey }],
          [`/nowhere?access_token=${encodeURIComponent(token)}#access_token=${encodeURIComponent(token)}`, {}],
        ] as [string, Record<string, string>][]) {
          const answer = await send(url, { method: "GET", target, headers, body: null });
          expect(answer.status).toBeLessThan(500);
          answers.push(JSON.stringify(answer.headers));
        }
        await send(url, {
          method: "POST",
          target: "/rest/v1/rpc/fail",
          headers: { apikey: keys.anonKey, "content-type": "text/plain" },
          body: `Bearer ${token}`,
        });
        await send(url, {
          method: "POST",
          target: "/auth/v1/token?grant_type=refresh_token",
          headers: { apikey: keys.anonKey, "content-type": "application/json" },
          body: JSON.stringify({ refresh_token: token }),
        });
        await send(url, {
          method: "POST",
          target: "/auth/v1/token?grant_type=password",
          headers: { apikey: keys.anonKey, "content-type": "application/json" },
          body: `{"password": "${token}"`,
        });
      }
      await stop(run);
      const log = run.output();
      // It did log what happened.
      expect(log).toContain('"kind":"request.finished"');
      expect(log).toContain("/auth/v1/token");
      for (const secret of [...secrets, foreign]) {
        expect(log.includes(secret), `the log holds ${secret.slice(0, 12)}…`).toBe(false);
        // Nor the half of it that would do: a JWT's signature.
        expect(log.includes(secret.split(".").at(-1)!)).toBe(false);
      }
      for (const shape of shapes) expect(log).not.toMatch(shape);
      // No answer sends a browser on to an address that holds one, where it would stay in histories and other sites' logs.
      for (const headers of answers)
        for (const secret of secrets)
          expect(/"(?:location|link|refresh|referer)":"[^"]*/.exec(headers)?.[0] ?? "").not.toContain(secret);
    } finally {
      await stop(run);
    }
  });

  test("the start says where the keys are, not the one that may do anything", async () => {
    const port = await freePort();
    const run = mainstay(["dev", "--port", String(port)], {});
    try {
      expect(await servesOrEnds(run, `http://127.0.0.1:${port}`), run.output()).toBe("serves");
      const shown = mainstay(["keys", "show", "--json"], {});
      await shown.ended;
      const { serviceRoleKey, secretKey } = JSON.parse(shown.output()) as Record<string, string>;
      await stop(run);
      expect(run.output()).not.toContain(serviceRoleKey);
      expect(run.output()).not.toContain(secretKey);
    } finally {
      await stop(run);
    }
  });
});

describe("A29: a weak secret does not get onto a network", () => {
  const weak: readonly (readonly [what: string, env: Readonly<Record<string, string>>])[] = [
    ["a word", { MAINSTAY_JWT_SECRET: "secret" }],
    ["31 bytes", { MAINSTAY_JWT_SECRET: "kJ8s0dFq2LmZx7VbN4wRtY6uPcAeHgT" }],
    ["Supabase's example", { MAINSTAY_JWT_SECRET: "super-secret-jwt-token-with-at-least-32-characters-long" }],
    ["the same by PostgREST's name", { PGRST_JWT_SECRET: "super-secret-jwt-token-with-at-least-32-characters-long" }],
    ["PostgREST's example", { PGRST_JWT_SECRET: "reallyreallyreallyreallyverysafe" }],
    ["one letter 64 times", { MAINSTAY_JWT_SECRET: "a".repeat(64) }],
    ["words with a number", { MAINSTAY_JWT_SECRET: "my-very-own-password-for-production-2026" }],
    [
      "a demo service key",
      {
        MAINSTAY_JWT_SECRET: "q7Zt0Vn4Xc9Lb2Kd8Rm5Ws1Yf6Hg3JpA",
        MAINSTAY_SECRET_KEY: "sb_secret_N7UND0UgjKTVK-Uodkm0Hg_xSvEMPvz",
      },
    ],
    ["a secret key that is short", { MAINSTAY_SECRET_KEY: "sb_secret_1234" }],
  ];

  test.each(weak)("%s is refused on every public address, and the secret not repeated", async (_what, env) => {
    for (const host of ["0.0.0.0", "::"]) {
      const port = await freePort();
      const run = mainstay(["start", "--port", String(port), "--host", host], env);
      try {
        expect(await servesOrEnds(run, `http://127.0.0.1:${port}`), run.output()).toBe("ended");
        expect(await run.ended).not.toBe(0);
        expect(run.output()).toMatch(/secret|key/i);
        for (const value of Object.values(env).filter((each) => each.length > 8))
          expect(run.output()).not.toContain(value);
      } finally {
        await stop(run);
      }
    }
  });

  test.each(weak.slice(0, 3))("%s is allowed on loopback", async (_what, env) => {
    const port = await freePort();
    const run = mainstay(["start", "--port", String(port), "--host", "127.0.0.1"], env);
    try {
      expect(await servesOrEnds(run, `http://127.0.0.1:${port}`), run.output()).toBe("serves");
    } finally {
      await stop(run);
    }
  });

  test("what is generated when none is given may face a network", async () => {
    const port = await freePort();
    const run = mainstay(["start", "--port", String(port), "--host", "0.0.0.0"], {});
    try {
      expect(await servesOrEnds(run, `http://127.0.0.1:${port}`), run.output()).toBe("serves");
    } finally {
      await stop(run);
    }
  });
});

describe("B03: the linter says what reads past policies", () => {
  test("definer functions without a search path, and views that are their owner's", async () => {
    await writeFile(
      join(dir, "migrations", "20260102000000_past.sql"),
      `create table public.open_to_all (id integer primary key);
       create view public.all_todos as select * from public.todos;
       create function public.every_todo() returns setof public.todos language sql security definer as $$ select * from public.todos $$;
       create view public.my_todos with (security_invoker = true) as select * from public.todos;`,
    );
    const run = mainstay(["migrate", "check", "--json"], {});
    try {
      expect(await run.ended).toBe(1);
      const findings = JSON.parse(run.output()) as { rule: string; object: string; level: string }[];
      const found = (rule: string) =>
        findings.filter((each) => each.rule === rule && each.level === "error").map(({ object }) => object);
      expect(found("view-bypasses-rls")).toEqual(["public.all_todos"]);
      expect(found("definer-search-path").join()).toContain("every_todo");
      expect(found("rls-disabled")).toEqual(["public.open_to_all"]);
    } finally {
      await rm(join(dir, "migrations", "20260102000000_past.sql"));
    }
  });
});
