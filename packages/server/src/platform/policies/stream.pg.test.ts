import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Batch, Change, ChangedRelation } from "../../kernel/change.ts";
import type { Principal } from "../../kernel/principal.ts";
import { dropRoles, type Engine, follow, openEngine, settled } from "./engine.testing.ts";
import { principal } from "./testing.ts";
import type { ViewerGroup } from "./types.ts";

const idOf = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
const user = (n: number): Principal => principal("authenticated", { sub: idOf(n), role: "authenticated" }, idOf(n));
const ann = user(1);

let engine: Engine;
/** Who follows, and what each has seen, by \`id\`. */
const viewers = new Map<string, { readonly who: Principal; readonly seen: string[] }>();

beforeAll(async () => {
  engine = await openEngine({
    sql: `
      create role streaming_reader; grant usage on schema public, auth to streaming_reader;
      create table rooms (id int primary key);
      create table members (room int, user_id uuid, primary key (room, user_id));
      create table messages (id int primary key generated always as identity, room int, body text, owner uuid);
      create table log_of_nothing (n int);
      alter table members enable row level security;
      create policy own on members using (user_id = auth.uid());
      grant select on members, rooms, messages to authenticated, streaming_reader;
      alter table messages enable row level security;
      alter publication supabase_realtime add table messages;`,
    settings: { policiesPollMs: 100 },
  });
  await follow(engine);
  const groups = new Map<string, ViewerGroup>();
  engine.policies.onChange(() => groups.clear());
  const groupOf = (relation: ChangedRelation, name: string, who: Principal): ViewerGroup => {
    const key = `${relation.oid} ${name}`;
    const group = groups.get(key) ?? engine.policies.groupOf(relation, who);
    groups.set(key, group);
    return group;
  };
  engine.onBatch = async ({ changes }: Batch) => {
    const rows = changes.filter(({ op, relation }) => op === "insert" && relation.name === "messages");
    if (rows.length === 0) return;
    const { relation } = rows[0] as Change;
    await engine.policies.prepare([relation]);
    const asked = new Map<ViewerGroup, Promise<readonly boolean[]> | readonly boolean[]>();
    for (const [name, { who, seen }] of viewers) {
      const group = groupOf(relation, name, who);
      if (!asked.has(group)) asked.set(group, group.sees(rows.map((change) => change.new!)));
      const answers = await asked.get(group)!;
      const isShown = !group.rights.isRowSecured || group.rights.columns.size > 0;
      for (const [at, isSeen] of answers.entries()) {
        if (isSeen && isShown) seen.push(rows[at]!.new![relation.indexOf("body")]!);
      }
    }
  };
});
afterAll(async () => {
  await engine.close();
  await dropRoles("streaming_reader");
});
beforeEach(() => viewers.clear());

function watch(name: string, who: Principal): readonly string[] {
  const seen: string[] = [];
  viewers.set(name, { who, seen });
  return seen;
}

const say = (body: string, room = 1, owner = 1): string =>
  `insert into messages (room, body, owner) values (${room}, '${body}', '${idOf(owner)}');`;

const policy = (using: string): string =>
  `drop policy if exists p on messages; create policy p on messages for select using (${using});`;

const membership = "room in (select m.room from members m where m.user_id = auth.uid())";

describe("R05 a change of rights counts from the next entry of the log on", () => {
  // Each: what happens between a first message and a second one, which is not seen any more, and how to take it back.
  const losses: Readonly<Record<string, readonly [before: string, loss: string, back: string]>> = {
    "alter policy": [
      policy("true"),
      "alter policy p on messages using (false);",
      "alter policy p on messages using (true);",
    ],
    "drop policy": [policy("true"), "drop policy p on messages;", policy("true")],
    "create a restrictive one": [
      policy("true"),
      "create policy r on messages as restrictive using (false);",
      "drop policy r on messages;",
    ],
    "enable row level security": [
      "drop policy if exists p on messages; alter table messages disable row level security;",
      "alter table messages enable row level security;",
      "alter table messages disable row level security;",
    ],
    revoke: [
      `alter table messages enable row level security; ${policy("true")}`,
      "revoke select on messages from authenticated;",
      "grant select on messages to authenticated;",
    ],
    "revoke usage of the schema": [
      policy("true"),
      "revoke usage on schema public from public, authenticated, anon;",
      "grant usage on schema public to public, authenticated, anon;",
    ],
    "a function is another": [
      `create or replace function allowed() returns boolean language sql stable as 'select true'; ${policy("allowed()")}`,
      "create or replace function allowed() returns boolean language sql stable as 'select false';",
      "create or replace function allowed() returns boolean language sql stable as 'select true';",
    ],
    "a membership ends": [
      `insert into members values (1, '${idOf(1)}') on conflict do nothing; ${policy(membership)}`,
      `delete from members where user_id = '${idOf(1)}';`,
      `insert into members values (1, '${idOf(1)}');`,
    ],
    "a membership is moved": [
      policy(membership),
      `update members set room = 9 where user_id = '${idOf(1)}';`,
      `update members set room = 1 where user_id = '${idOf(1)}';`,
    ],
    "all memberships end": ["", "truncate members;", `insert into members values (1, '${idOf(1)}');`],
    "the policy of the table looked into": [
      "",
      "alter policy own on members using (false);",
      "alter policy own on members using (user_id = auth.uid());",
    ],
    "a part of the table looked into is taken off": [
      `create table crews (room int, user_id uuid, primary key (room, user_id)) partition by list (room);
       create table crews_1 partition of crews for values in (1); grant select on crews to authenticated;
       insert into crews values (1, '${idOf(1)}');
       ${policy("exists (select from crews c where c.room = messages.room and c.user_id = auth.uid())")}`,
      "alter table crews detach partition crews_1;",
      "alter table crews attach partition crews_1 for values in (1);",
    ],
    "a row of a part goes": ["", "delete from crews_1;", `insert into crews_1 values (1, '${idOf(1)}');`],
  };
  for (const [name, [before, loss, back]] of Object.entries(losses)) {
    it(name, async () => {
      await engine.sql(before === "" ? "select 1" : before);
      const seen = watch("ann", ann);
      // Once with all at a time, once with what is known by then.
      await engine.sql(say("warm"));
      await settled(engine);
      for (const round of ["1", "2"]) {
        await engine.sql(say(`before ${round}`));
        await settled(engine);
        await engine.sql(`${loss} ${say(`with ${round}`)}`);
        await engine.sql(say(`after ${round}`));
        // Who may see it again may see it: what counts is what PostgreSQL says when it is judged.
        await settled(engine);
        await engine.sql(back);
        await engine.sql(say(`back ${round}`));
      }
      await settled(engine);
      expect(seen).toEqual(["warm", "before 1", "back 1", "before 2", "back 2"]);
    });
  }

  it("of roles within five seconds", async () => {
    await engine.sql(policy("false"));
    const reader = principal("streaming_reader", { role: "streaming_reader" });
    const seen = watch("reader", reader);
    const said = async (body: string): Promise<boolean> => {
      await engine.sql(say(body));
      await settled(engine);
      return seen.includes(body);
    };
    expect(await said("hidden")).toBe(false);
    await engine.sql("alter role streaming_reader bypassrls");
    await expect.poll(() => said("shown")).toBe(true);
    await engine.sql("alter role streaming_reader nobypassrls");
    const count = () => seen.length;
    await expect
      .poll(async () => {
        const before = count();
        await said("hidden again");
        return count() - before;
      })
      .toBe(0);
    await engine.sql(`create role streaming_team; grant streaming_team to streaming_reader;
      drop policy p on messages; create policy p on messages to streaming_team using (true)`);
    await expect.poll(() => said("by membership")).toBe(true);
    await engine.sql("revoke streaming_team from streaming_reader");
    await expect
      .poll(async () => {
        const before = count();
        await said("no more");
        return count() - before;
      })
      .toBe(0);
    await engine.sql(`${policy("true")}; drop role streaming_team`);
  });
});

describe("what is asked of PostgreSQL", () => {
  const asked = async (work: () => Promise<unknown>): Promise<number> => {
    const before = engine.policies.stats().questions;
    await work();
    await settled(engine);
    return engine.policies.stats().questions - before;
  };
  const saying = (body: string) => asked(() => engine.sql(say(body)));

  it("is one statement for a thousand callers whom the policies treat alike", async () => {
    await engine.sql(`create or replace function allowed() returns boolean language plpgsql stable as 'begin return true; end';
      ${policy("allowed() or (auth.jwt() ->> 'org') = 'x'")}`);
    // What it calls may read any claim, so only equal claims make a group.
    await settled(engine);
    const alike = principal("authenticated", { role: "authenticated", org: "y" });
    const relation = await engine.relation("messages");
    await engine.policies.prepare([relation]);
    const groups = Array.from({ length: 1_000 }, () => engine.policies.groupOf(relation, { ...alike }));
    expect(new Set(groups).size).toBe(1);
    for (let n = 0; n < 1_000; n++) viewers.set(`alike ${n}`, { who: { ...alike }, seen: [] });
    await engine.sql(say("warm"));
    await settled(engine);
    expect(await saying("to all")).toBe(1);
    expect([...viewers.values()].every(({ seen }) => seen.includes("to all"))).toBe(true);
  });

  it("is nothing where the policy is decided here", async () => {
    await engine.sql(policy("owner = auth.uid()"));
    for (let n = 1; n <= 100; n++) watch(`user ${n}`, user(n));
    await engine.sql(say("warm"));
    await settled(engine);
    expect(await saying("mine")).toBe(0);
    expect([...viewers].filter(([, { seen }]) => seen.includes("mine")).map(([name]) => name)).toEqual(["user 1"]);
  });

  it("is nothing as long as a membership stays as it is, and once when it changes", async () => {
    await engine.sql(`truncate members; insert into members values (1, '${idOf(1)}'); ${policy(membership)}`);
    const seen = watch("ann", ann);
    await engine.sql(say("warm"));
    await expect.poll(() => saying("warm")).toBe(0);
    expect(await saying("second")).toBe(0);
    expect(await asked(() => engine.sql(`insert into members values (7, '${idOf(1)}'); ${say("third", 7)}`))).toBe(1);
    expect(await saying("fourth")).toBe(0);
    expect(seen.slice(-3)).toEqual(["second", "third", "fourth"]);
  });

  it("is each time where the table looked into cannot be followed, which stays as writable as it was", async () => {
    await engine.sql(`create table guests (room int, user_id uuid); grant select on guests to authenticated;
      insert into guests values (1, '${idOf(1)}');
      ${policy("room in (select g.room from guests g where g.user_id = auth.uid())")}`);
    const seen = watch("ann", ann);
    await engine.sql(say("one"));
    await settled(engine);
    expect(await saying("two")).toBe(1);
    await engine.sql("update guests set room = 2");
    await engine.sql(say("three"));
    await engine.sql("delete from guests");
    await engine.sql(say("four", 2));
    await settled(engine);
    expect(seen).toEqual(["one", "two"]);
    expect(await engine.sql("select from pg_publication_tables where tablename = 'guests'")).toEqual([]);
    expect(engine.observations).toContainEqual(
      expect.objectContaining({ kind: "warning", message: expect.stringContaining("public.guests") }),
    );
  });
});
