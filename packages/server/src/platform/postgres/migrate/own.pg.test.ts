import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Database, openDatabase } from "../database.ts";
import { readMigrations } from "./files.ts";
import { addFiles, type Bench, folderOf, openBench, ownMigrations } from "./testing.ts";

let bench: Bench;
beforeEach(async () => {
  bench = await openBench();
});
afterEach(() => bench.close());

/** Runs statements in one transaction as an API role, the way a request does. */
async function as(role: string, claims: string, text: string): Promise<readonly Record<string, unknown>[]> {
  const client = await bench.database.connect();
  try {
    await client.query("begin");
    await client.query("select set_config('request.jwt.claims', $1, true)", [claims]);
    await client.query(`set local role ${pg.escapeIdentifier(role)}`);
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

const asking = "select auth.uid() as uid, auth.role() as role, auth.email() as email, auth.jwt() as jwt";
const id = "11111111-1111-4111-8111-111111111111";

describe("our own migrations", () => {
  it("say who is asking, from the claims or from the older settings, or nobody", async () => {
    await bench.up();
    const claims = { sub: id, role: "authenticated", email: "a@b.c", app: { plan: "x" } };
    const [full] = await as("authenticated", JSON.stringify(claims), asking);
    expect(full).toEqual({ uid: id, role: "authenticated", email: "a@b.c", jwt: claims });
    const [empty] = await as("anon", "", asking);
    expect(empty).toEqual({ uid: null, role: null, email: null, jwt: null });
    const client = await bench.database.connect();
    await client.query("select set_config('request.jwt.claim.sub', $1, false)", [id]);
    const older = (await client.query(asking)).rows[0];
    await client.end();
    expect(older).toMatchObject({ uid: id, role: null });
  });

  it("let the planner put auth.uid() in place and run it once", async () => {
    await bench.up();
    await bench.rows("create table t (owner uuid)");
    const plan = (await bench.rows("explain (verbose) select * from t where owner = (select auth.uid())"))
      .map((row) => (row as { "QUERY PLAN": string })["QUERY PLAN"])
      .join("\n");
    expect(plan).toContain("InitPlan");
    expect(plan).toContain("current_setting");
    expect(plan).not.toContain("auth.uid");
  });

  it("grant what a project creates to the API roles, and leave rows to row level security", async () => {
    await bench.up(
      await folderOf({
        "1_a.sql": `create table t (id serial primary key, owner uuid);
          alter table t enable row level security;
          create policy own on t to authenticated using (owner = (select auth.uid())) with check (owner = (select auth.uid()));
          create function hello() returns text language sql as 'select ''hi''';
          grant execute on function hello to supabase_auth_admin;
          alter publication supabase_realtime add table t;
          alter default privileges for role supabase_admin in schema public grant all on tables to postgres;
          insert into t (owner) values ('${id}'), (gen_random_uuid());`,
      }),
    );
    expect(await as("authenticated", JSON.stringify({ sub: id }), "select owner from t")).toEqual([{ owner: id }]);
    expect(await as("anon", "{}", "select * from t")).toEqual([]);
    expect(await as("anon", "{}", "select hello()")).toEqual([{ hello: "hi" }]);
    expect(await as("service_role", "{}", "select count(*)::int as n from t")).toEqual([{ n: 2 }]);
    await expect(as("anon", "{}", "insert into t (owner) values (null)")).rejects.toMatchObject({ code: "42501" });
  });

  it.each(["anon", "authenticated", "service_role"])("show %s nothing of our own schema but reject()", async (role) => {
    await bench.up();
    for (const table of ["migrations", "migration_progress", "seeds"]) {
      await expect(as(role, "{}", `select * from mainstay.${table}`)).rejects.toMatchObject({ code: "42501" });
    }
    await expect(as(role, "{}", "create table mainstay.mine (id int)")).rejects.toMatchObject({ code: "42501" });
    await expect(as(role, "{}", "select mainstay.reject('PGRST116', 'one row', '2 rows', null)")).rejects.toMatchObject(
      {
        code: "MST01",
        message: "one row",
        detail: expect.stringContaining('"code" : "PGRST116"'),
      },
    );
  });

  it("reject() carries its four fields as JSON, nulls and quotes included", async () => {
    await bench.up();
    const error = (await as("anon", "{}", `select mainstay.reject('C', 'a "b"', null, 'do')`).catch(
      (e: unknown) => e,
    )) as {
      detail: string;
      hint: string;
    };
    expect(JSON.parse(error.detail)).toEqual({ code: "C", message: 'a "b"', details: null, hint: "do" });
    expect(error.hint).toBe("do");
  });

  it("announce DDL at commit, not temporary tables, not what was rolled back", async () => {
    await bench.up();
    const listener = await bench.database.connect();
    let heard = 0;
    listener.on("notification", () => heard++);
    await listener.query("listen mainstay_catalog");
    const hears = async (text: string) => {
      heard = 0;
      const client = await bench.database.connect();
      await client.query(text);
      await client.end();
      await listener.query("select 1");
      return heard;
    };
    expect(await hears("create table t (id int primary key); create view v as select * from t")).toBe(1);
    expect(await hears("comment on table t is 'x'")).toBe(1);
    expect(await hears("create temp table x (id int); drop table x")).toBe(0);
    expect(await hears("begin; create table y (id int); rollback")).toBe(0);
    expect(await hears("insert into t values (1)")).toBe(0);
    expect(await hears("drop table t cascade")).toBe(1);
    await listener.end();
  });

  it("leave alone what a Supabase database has already", async () => {
    await bench.rows(`
      create schema auth; create schema extensions;
      create function auth.uid() returns uuid language sql stable as $$ select '${id}'::uuid $$;
      create extension pgcrypto with schema public;
      create publication supabase_realtime;
      create schema supabase_migrations;
      create table supabase_migrations.schema_migrations (version text primary key, statements text[], name text, created_by text);
      insert into supabase_migrations.schema_migrations values ('1', null, 'a', 'someone')`);
    const { applied, differences } = await bench.up(
      await folderOf({ "1_a.sql": "select 1/0;", "2_b.sql": "select 1;" }),
    );
    expect(applied.filter(({ source }) => source === "project").map(({ version }) => version)).toEqual(["2"]);
    expect(differences).toEqual([]);
    expect(await bench.rows("select auth.uid() as uid, auth.role() as role")).toEqual([{ uid: id, role: null }]);
  });

  describe("for an owner who is no superuser", () => {
    let owner: Database;
    beforeEach(async () => {
      // Roles are the cluster's and stay; this one owns nothing once the database is gone.
      await bench.rows(`do $$ begin
        create role mainstay_test_owner login createrole password 'owner';
        exception when duplicate_object or unique_violation then null; end $$`);
      await bench.rows(
        "do $$ begin execute format('alter database %I owner to mainstay_test_owner', current_database()); end $$",
      );
      const url = new URL(bench.url);
      url.username = "mainstay_test_owner";
      url.password = "owner";
      owner = openDatabase({ connectionString: url.href });
    });
    afterEach(() => owner.close());

    it("work, with warnings for what only a superuser may do", async () => {
      const dir = await folderOf({
        "1_a.sql": "create table t (id int primary key);",
        "2_b.sql": "create index concurrently t_id on t (id);",
      });
      const { warnings, applied } = await bench.up(dir, { database: owner });
      expect(applied.filter(({ source }) => source === "project")).toHaveLength(2);
      expect(warnings.join("\n")).toContain("event triggers need a superuser");
      expect(await bench.rows("select count(*)::int as n from pg_event_trigger")).toEqual([{ n: 0 }]);
      expect(await bench.rows("select has_table_privilege('anon', 't', 'select') as granted")).toEqual([
        { granted: true },
      ]);
      await addFiles(dir, { "3_c.sql": "alter table t add column name text;" });
      expect((await bench.up(dir, { database: owner })).applied).toHaveLength(1);
    });

    it("tolerate a schema that is somebody else's", async () => {
      await bench.rows(
        "create schema auth; create function auth.uid() returns uuid language sql stable as 'select null::uuid'",
      );
      const own = await foundation();
      const { applied, warnings } = await bench.up(null, { database: owner, own });
      expect(applied.map(({ version }) => version)).toEqual(["0001", "0002"]);
      expect(warnings.join("\n")).toContain("auth.role()");
    });
  });
});

/** Only the files this folder owns: the auth tables need a schema of ours. */
async function foundation(): Promise<string> {
  const files = (await readMigrations(ownMigrations)).filter(({ version }) => version <= "0002");
  return folderOf(Object.fromEntries(files.map(({ file, sql }) => [file, sql])));
}
