import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkDatabase, checkMigrations, type Rule, rules } from "./check.ts";
import { normalised } from "./files.ts";
import { type Bench, openBench } from "./testing.ts";

const files = (...sql: readonly string[]) =>
  sql.map((text, index) => {
    const version = String(index + 1);
    return { version, name: "x", file: `${version}_x.sql`, path: `/${version}_x.sql`, ...normalised(text) };
  });
const schemas = ["public"];
const check = async (...sql: readonly string[]) =>
  (await checkMigrations(files(...sql), { schemas })).map(({ rule, object }) => `${rule} ${object}`);

const guarded = (name: string, columns = "id int primary key, owner uuid") =>
  `create table ${name} (${columns}); alter table ${name} enable row level security;`;

/** Of each rule: files that break it, what is found, and files that do the same thing well. */
const cases: readonly { rule: Rule; bad: readonly string[]; object: string; good: readonly string[] }[] = [
  {
    rule: "rls-disabled",
    bad: ["create table a (id int);"],
    object: "public.a",
    good: [
      "create table a (id int);",
      "alter table public.a enable row level security;",
      "create schema x; create table x.a (id int); create temp table b (id int);",
    ],
  },
  {
    rule: "rls-disabled",
    bad: [guarded("a"), "alter table a disable row level security;"],
    object: "public.a",
    good: ["create table a (id int);", "drop table a;"],
  },
  {
    rule: "rls-without-policy",
    bad: [guarded("a")],
    object: "public.a",
    good: [`${guarded("a")} create policy p on a using (true);`],
  },
  {
    rule: "policy-call-not-wrapped",
    bad: [`${guarded("a")} create index on a (owner); create policy p on a using (auth.uid() = owner);`],
    object: 'public.a."p"',
    good: [`${guarded("a")} create index on a (owner); create policy p on a using ((select auth.uid()) = owner);`],
  },
  {
    rule: "policy-call-not-wrapped",
    bad: [`${guarded("a")} create policy p on a for insert with check (auth.jwt() ->> 'role' = 'x');`],
    object: 'public.a."p"',
    good: [`${guarded("a")} create policy p on a for insert with check ((select auth.jwt() ->> 'role') = 'x');`],
  },
  {
    rule: "policy-column-not-indexed",
    bad: [`${guarded("a")} create policy p on a using (owner = (select auth.uid()));`],
    object: 'public.a."p"',
    good: [
      `${guarded("a")} create index on a (owner); create policy p on a using (owner = (select auth.uid()));`,
      `${guarded("b", "id int, is_public boolean")} create policy p on b using (is_public = true);`,
    ],
  },
  {
    rule: "policy-column-not-indexed",
    bad: [
      `${guarded("a")} ${guarded("members", "list_id int, user_id uuid")} create policy m on members using (true);
       create policy p on a using (exists (select 1 from members m where m.user_id = (select auth.uid()) and m.list_id = a.id));`,
    ],
    object: 'public.a."p"',
    good: [
      `${guarded("a")} ${guarded("members", "list_id int, user_id uuid, primary key (list_id, user_id)")}
       create policy m on members using (true);
       create policy p on a using (exists (select 1 from members m where m.user_id = (select auth.uid()) and m.list_id = a.id));`,
    ],
  },
  {
    rule: "policy-column-not-indexed",
    bad: [
      `${guarded("a")} create policy p on a using (owner in (select owner from a as other where other.id = a.id));`,
    ],
    object: 'public.a."p"',
    good: [
      `${guarded("a", "id int primary key, place int")} ${guarded("b", "place int primary key, owner uuid")}
       create policy b on b using (true);
       create policy p on a using (exists (select 1 from b where b.place = a.place));`,
    ],
  },
  {
    rule: "definer-search-path",
    bad: ["create function f() returns int language sql security definer as 'select 1';"],
    object: "public.f",
    good: [
      "create function f() returns int language sql security definer set search_path = '' as 'select 1';",
      "create function g() returns int language sql as 'select 1';",
      "create function h() returns int language sql security definer as 'select 1'; alter function h() set search_path = '';",
    ],
  },
  {
    rule: "view-bypasses-rls",
    bad: [`${guarded("a")} create policy p on a using (true); create view v as select * from a;`],
    object: "public.v",
    good: [
      `${guarded("a")} create policy p on a using (true); create view v with (security_invoker = on) as select * from a;`,
      "create view w as select 1 as x; create schema private; create view private.v as select * from a;",
    ],
  },
];

/** Statements on a table of an earlier file, against the same on a table of their own file. */
const blocking: readonly (readonly [Rule, string, string])[] = [
  ["index-blocks-writes", "create index on a (x);", "create index concurrently i on a (x);"],
  [
    "index-blocks-writes",
    "alter table a add constraint u unique (x);",
    "alter table a add constraint u unique using index i;",
  ],
  [
    "column-rewrites-table",
    "alter table a add column y uuid default gen_random_uuid();",
    "alter table a add column y timestamptz default now();",
  ],
  ["column-rewrites-table", "alter table a add column y bigserial;", "alter table a add column y bigint default 0;"],
  [
    "column-rewrites-table",
    "alter table a add column y int generated always as (x + 1) stored;",
    "alter table a add column y int;",
  ],
  [
    "not-null-scans-table",
    "alter table a alter column x set not null;",
    "alter table a add check (x is not null) not valid;",
  ],
  [
    "type-change-rewrites-table",
    "alter table a alter column x type text;",
    "alter table a alter column x set default 1;",
  ],
  [
    "constraint-scans-table",
    "alter table a add foreign key (x) references b (id);",
    "alter table a add foreign key (x) references b (id) not valid;",
  ],
  ["constraint-scans-table", "alter table a add check (x > 0);", "alter table a validate constraint c;"],
  ["breaks-released-apps", "alter table a rename column x to y;", "alter table a rename constraint x to y;"],
  ["breaks-released-apps", "alter table a drop column x;", "alter table a alter column x drop default;"],
  ["breaks-released-apps", "alter table a rename to c;", "drop policy p on a;"],
  ["breaks-released-apps", "drop table a;", "drop function f();"],
];

describe("checkMigrations", () => {
  it.each(cases)("$rule: finds $object", async ({ rule, bad, good, object }) => {
    expect(await check(...bad)).toContain(`${rule} ${object}`);
    const found = await check(...good);
    expect(found.filter((each) => each.startsWith(`${rule} `))).toEqual([]);
  });

  it.each(blocking)("%s: %s", async (rule, bad, good) => {
    const table = "create table a (x int);";
    expect(await check(table, bad)).toContain(`${rule} public.a`);
    expect((await check(table, good)).filter((each) => each.startsWith(rule))).toEqual([]);
    expect((await check(table + bad)).filter((each) => each.startsWith(rule))).toEqual([]);
    expect((await check(table, `-- mainstay: allow ${rule}\n${bad}`)).filter((each) => each.startsWith(rule))).toEqual(
      [],
    );
  });

  it("has a case for every rule", () => {
    const seen = new Set<string>([...cases.map(({ rule }) => rule), ...blocking.map(([rule]) => rule)]);
    expect([...seen].sort()).toEqual(Object.keys(rules).sort());
  });

  it("says file, line, object, and what to do", async () => {
    const [found] = await checkMigrations(files("select 1;", "\n-- é\ncreate table a (id int);"), { schemas });
    expect(found).toEqual({
      rule: "rls-disabled",
      level: "error",
      file: "2_x.sql",
      line: 3,
      object: "public.a",
      message: "The table is served without row level security.",
      advice: rules["rls-disabled"].advice,
    });
  });
});

describe("checkDatabase", () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await openBench();
    await bench.up();
  });
  afterAll(() => bench.close());

  it("finds nothing in what we ship", async () => {
    const found = await checkDatabase(bench.database, { schemas: ["public"] });
    expect(found).toEqual([]);
  });

  it.each(cases)("$rule: finds $object", async ({ rule, bad, good, object }) => {
    const inSchema = async (sql: string) => {
      await bench.rows(
        `drop schema public cascade; create schema public; drop schema if exists x, private cascade; ${sql}`,
      );
      return (await checkDatabase(bench.database, { schemas })).map((each) => `${each.rule} ${each.object}`);
    };
    expect(await inSchema(bad.join("\n"))).toContain(`${rule} ${object}`);
    const found = await inSchema(good.join("\n"));
    expect(found.filter((each) => each.startsWith(`${rule} `))).toEqual([]);
  });
});
