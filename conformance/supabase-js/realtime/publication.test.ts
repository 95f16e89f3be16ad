import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import {
  changesOn,
  newName,
  type RealtimeApp,
  replicating,
  startRealtimeApp,
  subscribed,
  systemOn,
  within,
} from "./realtime-app.ts";

/** What projects do with the whole publication, by SQL: the server has nothing else to go by. */
let app: RealtimeApp;
beforeAll(async () => {
  app = await startRealtimeApp(`
    create schema other; grant usage on schema other to anon, service_role;
    create table public.ones (id int primary key);
    create table other.twos (id int primary key, doubled int generated always as (id * 2) stored);
    create table public.events (id int, day date, note text, primary key (id, day)) partition by range (day);
    create table public.events_2026 partition of public.events for values from ('2026-01-01') to ('2027-01-01');
    create table public.by_index (id int primary key, code text not null unique, note text);
    alter table public.by_index replica identity using index by_index_code_key;
    create table public.by_nothing (id int primary key, note text);
    alter table public.by_nothing replica identity nothing;
    grant all on all tables in schema public, other to anon, service_role;
    alter publication supabase_realtime add table public.ones;`);
});
afterAll(() => app.stop());

async function listening(schema: string, table?: string, key = app.anonKey) {
  const channel = app.realtime({ key }).client.channel(newName());
  const got = changesOn(channel, { event: "*", schema, ...(table === undefined ? {} : { table }) });
  const system = systemOn(channel);
  await subscribed(channel);
  await replicating(system);
  return { channel, got, system };
}

describe("the publication as a whole", () => {
  it("for all tables: also those that are made afterwards; the server's own are not among them", async () => {
    const { got, system } = await listening("*");
    await app.sql(`drop publication supabase_realtime`);
    await vi.waitFor(
      () => expect(system.at(-1)).toMatchObject({ extension: "postgres_changes", status: "error" }),
      within,
    );
    await app.sql(`insert into public.ones values (1)`);
    await app.sql(`create publication supabase_realtime for all tables`);
    await vi.waitFor(() => expect(system.at(-1)).toMatchObject({ status: "ok" }), within);
    await app.sql(`insert into public.ones values (2); insert into other.twos values (3)`);
    await app.user();
    await app.sql(`create table other.later (id int primary key); grant select on other.later to anon`);
    await app.sql(`insert into other.later values (4)`);
    await vi.waitFor(() => expect(got.at(-1)).toMatchObject({ table: "later" }), within);
    const mine = got.filter(({ schema, table }) => schema === "other" || table === "ones");
    expect(mine.map(({ schema, table, new: now }) => [`${schema}.${table}`, (now as { id: number }).id])).toEqual([
      ["public.ones", 2],
      ["other.twos", 3],
      ["other.later", 4],
    ]);
    expect(got.filter(({ schema, errors }) => schema === "mainstay" || schema === "auth" || errors !== null)).toEqual(
      [],
    );
  });

  it("on all tables, one that may be read from now on is heard from now on", async () => {
    await app.sql(`create table other.closed (id int primary key); grant select on other.closed to service_role`);
    const { got } = await listening("other");
    const { got: witness } = await listening("other", "closed", app.serviceRoleKey);
    await app.sql(`insert into other.closed values (1)`);
    await vi.waitFor(() => expect(witness).toHaveLength(1), within);
    await app.sql(`grant select on other.closed to anon`);
    await app.sql(`insert into other.closed values (2)`);
    await vi.waitFor(
      () => expect(got.map(({ new: now, errors }) => [now, errors])).toEqual([[{ id: 2 }, null]]),
      within,
    );
  });

  it("one dropped and made again in one transaction: nobody is told of anything, and changes go on", async () => {
    const { got, system } = await listening("public", "ones");
    await app.sql(`begin; drop publication if exists supabase_realtime; create publication supabase_realtime; commit`);
    await app.sql(`alter publication supabase_realtime add table public.ones`);
    await vi.waitFor(() => expect(system.at(-1)).toMatchObject({ status: "ok" }), within);
    await app.sql(`insert into public.ones values (11)`);
    await vi.waitFor(() => expect(got).toMatchObject([{ new: { id: 11 } }]), within);
  });

  it("tables of a schema", async () => {
    const { got } = await listening("*");
    await app.sql(`alter publication supabase_realtime add tables in schema other`);
    await app.sql(`insert into other.twos values (21)`);
    await vi.waitFor(() => expect(got).toMatchObject([{ schema: "other", table: "twos", new: { id: 21 } }]), within);
    await app.sql(`alter publication supabase_realtime drop tables in schema other`);
  });
});

describe("kinds of tables", () => {
  beforeAll(() =>
    app.sql(
      `alter publication supabase_realtime set table public.ones, public.events, public.by_index, public.by_nothing`,
    ),
  );

  it("partitions: as the publication names them", async () => {
    const { got } = await listening("public");
    await app.sql(`insert into public.events values (1, '2026-05-01', 'part')`);
    await vi.waitFor(
      () => expect(got).toMatchObject([{ table: "events_2026", new: { id: 1, day: "2026-05-01", note: "part" } }]),
      within,
    );
    await app.sql(`alter publication supabase_realtime set (publish_via_partition_root = true)`);
    await app.sql(`insert into public.events values (2, '2026-05-02', 'root')`);
    await vi.waitFor(() => expect(got[1]).toMatchObject({ table: "events", new: { id: 2, note: "root" } }), within);
    await app.sql(`alter publication supabase_realtime set (publish_via_partition_root = false)`);
  });

  it("replica identity by an index: its columns are what is told of the old row", async () => {
    const { got } = await listening("public", "by_index");
    await app.sql(
      `insert into public.by_index values (1, 'a', 'x'); update public.by_index set code = 'b'; delete from public.by_index`,
    );
    await vi.waitFor(() => expect(got).toHaveLength(3), within);
    expect(got[1]).toMatchObject({ eventType: "UPDATE", new: { id: 1, code: "b", note: "x" }, old: { code: "a" } });
    expect(got[2]).toMatchObject({ eventType: "DELETE", old: { code: "b" } });
  });

  it("replica identity nothing: what is put in comes", async () => {
    const { got } = await listening("public", "by_nothing");
    await app.sql(`insert into public.by_nothing values (1, 'x'), (2, 'y')`);
    await vi.waitFor(
      () =>
        expect(got.map(({ new: now }) => now)).toEqual([
          { id: 1, note: "x" },
          { id: 2, note: "y" },
        ]),
      within,
    );
  });
});
