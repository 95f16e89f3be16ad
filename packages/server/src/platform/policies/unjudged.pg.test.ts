import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Principal } from "../../kernel/principal.ts";
import { type Engine, follow, openEngine, settled } from "./engine.testing.ts";
import { principal } from "./testing.ts";

const id = "00000000-0000-4000-8000-000000000001";
const ann: Principal = principal("authenticated", { sub: id, role: "authenticated" }, id);

let engine: Engine;
beforeAll(async () => {
  engine = await openEngine({
    sql: `
      create table notes (id int primary key, owner uuid, body text, size int generated always as (length(body)) stored);
      create table rooms (room int primary key, user_id uuid);
      insert into rooms select n, '${id}' from generate_series(1, 20) n;
      grant select on notes, rooms to authenticated; alter table notes enable row level security;
      create function slow() returns boolean language plpgsql as $$ begin perform pg_sleep(30); return true; end $$;
      create function noisy(id int) returns boolean language plpgsql as $$
        begin insert into public.heard values (id); return true; end $$;
      create table heard (id int); grant insert on heard to authenticated;
      create function steady() returns boolean language plpgsql as $$ begin return true; end $$;`,
    settings: { policyTimeoutMs: 300, policySetLimitRows: 10, policyRetryMs: 5_000 },
  });
  await follow(engine);
});
afterAll(() => engine.close());

async function seen(policy: string, row: readonly (string | null | undefined)[], leftOut: readonly string[] = []) {
  await engine.sql(`drop policy if exists p on notes; create policy p on notes using (${policy})`);
  const relation = await engine.relation("notes", leftOut);
  await engine.policies.prepare([relation]);
  await settled(engine);
  return (await engine.policies.groupOf(relation, ann).sees([row]))[0];
}

const complaints = (): readonly string[] =>
  engine.observations.flatMap((one) => (one.kind === "warning" && one.area === "policies" ? [one.message] : []));

describe("what cannot be judged is not seen, and it is said", () => {
  it("a column that the policy reads is not published", async () => {
    expect(await seen("owner = auth.uid()", ["1", "x"], ["owner"])).toBe(false);
    expect(complaints().at(-1)).toContain('its column "owner" is not published');
    // What it does not read may be missing.
    expect(await seen("owner = auth.uid()", ["1", id], ["body"])).toBe(true);
    expect(await seen("owner = auth.uid() and steady()", ["1", id], ["body"])).toBe(true);
  });

  it("a value that the policy reads is not in the log", async () => {
    expect(await seen("body = 'x' and steady()", ["1", id, undefined])).toBe(false);
    expect(complaints().at(-1)).toContain('a value of its column "body" is not in the log');
    expect(await seen("owner = auth.uid() and steady()", ["1", id, undefined])).toBe(true);
  });

  it("a computed column, when what it may be computed from is not there", async () => {
    expect(await seen("size = 3", ["1", id, "abc"])).toBe(true);
    expect(await seen("size = 3", ["1", id, "abcd"])).toBe(false);
    expect(await seen("size = 3", ["1", id, undefined])).toBe(false);
    expect(await seen("size = 3", ["1", id], ["body"])).toBe(false);
    expect(complaints().at(-1)).toContain('its column "body" is not published');
  });

  it("B11 a policy that takes too long", async () => {
    expect(await seen("slow()", ["1", id, "x"])).toBe(false);
    expect(complaints().at(-1)).toContain("PostgreSQL could not judge");
  });

  it("a policy that does not know the row's values", async () => {
    expect(await seen("body::int > 1 and steady()", ["1", id, "x"])).toBe(false);
    expect(await seen("body::int > 1 and steady()", ["1", id, "2"])).toBe(true);
  });
});

describe("asking PostgreSQL", () => {
  it("leaves nothing behind of what a policy does", async () => {
    expect(await seen("noisy(id)", ["1", id, "x"])).toBe(true);
    expect(await engine.sql("select * from heard")).toEqual([]);
  });

  it("is tried again when the connection is lost", async () => {
    const killer = await engine.db.connect();
    const isSeen = seen("steady() and (select true from pg_sleep(0.2))", ["1", id, "x"]);
    await vi.waitFor(
      async () => {
        const { rowCount } = await killer.query(`select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid() and query like '%pg_sleep%' and state = 'active'`);
        expect(rowCount).toBeGreaterThan(0);
      },
      { interval: 20, timeout: 10_000 },
    );
    await killer.end();
    expect(await isSeen).toBe(true);
  });

  it("is what is left when a sub-select has more rows than are kept", async () => {
    const policy = "id in (select r.room from rooms r where r.user_id = auth.uid())";
    expect(await seen(policy, ["7", id, "x"])).toBe(true);
    expect(await seen(policy, ["21", id, "x"])).toBe(false);
    expect(complaints().filter((message) => message.includes("could not judge them")).length).toBeLessThanOrEqual(2);
  });
});
