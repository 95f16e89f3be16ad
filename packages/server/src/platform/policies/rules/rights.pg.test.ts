import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ChangedRelation } from "../../../kernel/change.ts";
import { dropRoles, type Engine, openEngine } from "../engine.testing.ts";
import { principal } from "../testing.ts";
import { RulesReader } from "./reader.ts";

const roles = ["owner", "team", "heir", "cousin", "columns", "none", "all_data", "power", "bypass"].map(
  (name) => `righteous_${name}`,
);

let engine: Engine;
beforeAll(async () => {
  engine = await openEngine({
    sql: `
      ${roles.map((role) => `create role ${role};`).join(" ")}
      alter role righteous_power superuser; alter role righteous_bypass bypassrls;
      grant pg_read_all_data to righteous_all_data;
      grant righteous_team to righteous_heir;
      grant righteous_heir to righteous_cousin with inherit false;
      grant righteous_owner to righteous_none with inherit true;
      create schema closed; create schema shared authorization righteous_owner;
      grant usage on schema shared to public;
      ${["closed", "shared"]
        .map(
          (schema) => `
      create table ${schema}.plain (id int primary key, a text, "B b" text, c text);
      grant select on ${schema}.plain to righteous_team;
      grant select (id, "B b") on ${schema}.plain to righteous_columns;
      grant select (c) on ${schema}.plain to public;
      create table ${schema}.secured (id int, part int, primary key (part, id));
      alter table ${schema}.secured owner to righteous_owner; alter table ${schema}.secured enable row level security;
      grant select on ${schema}.secured to righteous_team, righteous_bypass;
      create table ${schema}.forced (like ${schema}.secured);
      alter table ${schema}.forced owner to righteous_owner; alter table ${schema}.forced enable row level security;
      alter table ${schema}.forced force row level security;
      create table ${schema}.disowned (id int primary key);
      alter table ${schema}.disowned owner to righteous_owner; revoke all on ${schema}.disowned from righteous_owner;`,
        )
        .join("")}`,
  });
});
afterAll(async () => {
  await engine.close();
  await dropRoles(...roles);
});

describe("what a role may read", () => {
  it("B02 is what PostgreSQL says of each column, each table and each role", async () => {
    const names = ["plain", "secured", "forced", "disowned"];
    const tables = ["closed", "shared"].flatMap((schema) => names.map((name) => `${schema}.${name}`));
    const relations: ChangedRelation[] = [];
    for (const table of tables) relations.push(await engine.relation(table));
    await engine.policies.prepare(relations);
    let readable = 0;
    for (const [at, table] of tables.entries()) {
      for (const role of [...roles, "anon", "service_role"]) {
        const { rights } = engine.policies.groupOf(relations[at]!, principal(role, { role }));
        const said = await engine
          .sql<{ name: string; secured: boolean }>(`
          set role ${role};
          with answer as (
            select a.attname as name, row_security_active('${table}') as secured
            from pg_attribute a join pg_class c on c.oid = a.attrelid
            where a.attrelid = '${relations[at]!.oid}'::oid and a.attnum > 0
              and has_schema_privilege(c.relnamespace, 'usage') and has_column_privilege(c.oid, a.attnum, 'select'))
          select * from answer`)
          .catch(() => []);
        await engine.sql("reset role");
        expect([table, role, [...rights.columns]]).toEqual([table, role, said.map(({ name }) => name)]);
        if (said.length > 0) expect([table, role, rights.isRowSecured]).toEqual([table, role, said[0]!.secured]);
        readable += said.length;
      }
    }
    expect(readable).toBeGreaterThan(60);
    expect(engine.policies.groupOf(relations[5]!, principal("anon", {})).rights.primaryKey).toEqual(["part", "id"]);
  });

  it("is the same to everybody for as long as nothing about it changes", async () => {
    const relation = await engine.relation("shared.plain");
    await engine.policies.prepare([relation]);
    let changes = 0;
    const stop = engine.policies.onChange(() => changes++);
    const who = principal("righteous_team", { role: "righteous_team" });
    const group = engine.policies.groupOf(relation, who);
    await engine.log.follow({ name: "test", onEntry() {}, onGap() {} });
    await engine.sql("create table shared.another (id int)");
    await engine.sql("select pg_logical_emit_message(true, 'x', 'y')");
    await engine.sql("grant select (a) on shared.plain to righteous_none");
    await expect.poll(() => changes).toBe(1);
    expect(engine.policies.groupOf(relation, who)).not.toBe(group);
    expect(engine.policies.groupOf(relation, { ...who })).toBe(engine.policies.groupOf(relation, who));
    stop();
  });

  it("is nothing of a table that nobody has prepared, until it has been read", async () => {
    await engine.sql("create table shared.late (id int primary key); grant select on shared.late to anon");
    const relation = await engine.relation("shared.late");
    let changes = 0;
    const stop = engine.policies.onChange(() => changes++);
    const anon = principal("anon", { role: "anon" });
    const blind = engine.policies.groupOf(relation, anon);
    expect([...blind.rights.columns]).toEqual([]);
    expect(await blind.sees([["1"]])).toEqual([false]);
    await expect.poll(() => changes).toBeGreaterThan(0);
    expect([...engine.policies.groupOf(relation, anon).rights.columns]).toEqual(["id"]);
    stop();
  });

  it("is not read before a change of it that the log has shown can be seen", async () => {
    const relation = await engine.relation("shared.plain");
    const reader = new RulesReader({ database: engine.db, parserIdleMs: 0 });
    await reader.read([relation.oid]);
    const columns = () => reader.rules.readingOf(relation.oid, principal("righteous_cousin", {})).rights.columns.size;
    expect(columns()).toBe(1);
    const client = await engine.db.connect();
    await client.query("begin");
    const { rows } = await client.query<{ xid: string }>("select pg_current_xact_id()::xid::text as xid");
    await client.query("grant select on shared.plain to righteous_cousin");
    reader.mustSee(Number(rows[0]!.xid));
    await expect(reader.read([])).rejects.toThrow("not visible yet");
    expect(columns()).toBe(1);
    await client.query("commit");
    expect(await reader.read([])).toBe(true);
    expect(columns()).toBe(4);
    await client.end();
    await reader.close();
  });
});
