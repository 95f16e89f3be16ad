import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ChangesBench, type ChangesNode, handler } from "./testing.ts";

const poll = <T>(of: () => T) => expect.poll(of, { interval: 20, timeout: 8_000 });

let bench: ChangesBench;
let node: ChangesNode;
beforeAll(async () => {
  bench = await ChangesBench.open();
  node = await bench.node();
});
afterAll(() => bench.close());
beforeEach(async () => {
  await node.changes.apply([]);
  await bench.sql("truncate entries, mainstay.jobs, mainstay.change_gaps");
  bench.seen.length = 0;
});

describe("a function on change", () => {
  test("gets what commits after it was there, as the REST API would show it, and nothing before", async () => {
    await bench.sql("insert into entries values (1, 'before')");
    expect(await node.changes.apply([handler({ name: "all" })])).toEqual([]);
    await bench.sql("insert into entries values (2, 'new', 'äöü \"quoted\"', 12345678901234567890.5)");
    await bench.sql("update entries set status = 'changed' where id = 2");
    await bench.sql("delete from entries where id = 2");
    await poll(() => bench.words("all")).toEqual(["insert 2", "update 2", "delete 2"]);
    const [inserted, updated, deleted] = await bench.jobs("all");
    expect(inserted).toMatchObject({
      name: "mainstay.change/all",
      orderKey: "2",
      payload: {
        schema: "public",
        table: "entries",
        operation: "insert",
        row: { id: 2, status: "new", body: 'äöü "quoted"' },
        oldRow: null,
      },
    });
    expect(inserted!.payload.id).toMatch(/^[0-9A-F]+\/[0-9A-F]+\/0$/);
    expect(new Date(String(inserted!.payload.committedAt)).getTime()).toBeGreaterThan(Date.now() - 60_000);
    expect(updated!.payload).toMatchObject({ row: { id: 2, status: "changed" }, oldRow: { id: 2 } });
    expect(deleted!.payload).toMatchObject({ row: null, oldRow: { id: 2 } });
    expect(new Set([inserted, updated, deleted].map((job) => job!.payload.id)).size).toBe(3);
  });

  test("gets only what was rolled back by nobody, of the operations and rows it asks for", async () => {
    const troubles = await node.changes.apply([
      handler({ name: "confirmed", operations: ["insert"], filter: "status=eq.confirmed&amount=gt.10" }),
      handler({ name: "like", operations: ["insert", "update"], filter: "body=ilike.*TEA*", order: "none" }),
      handler({ name: "gone", operations: ["delete"], order: "handler" }),
    ]);
    expect(troubles).toEqual([]);
    await bench.sql("begin; insert into entries values (9, 'confirmed', 'tea', 100); rollback");
    await bench.sql(
      `insert into entries values (1, 'confirmed', 'a', 11), (2, 'confirmed', 'b', 10), (3, 'open', 'Green tea', 50)`,
    );
    await bench.sql("update entries set body = 'teapot' where id = 1");
    await bench.sql("delete from entries where id = 2");
    await bench.sql("truncate entries");
    await bench.sql("insert into entries values (4, 'confirmed', null, 100)");
    await poll(() => bench.words("confirmed")).toEqual(["insert 1", "insert 4"]);
    expect(await bench.words("like")).toEqual(["insert 3", "update 1"]);
    expect(await bench.words("gone")).toEqual(["delete 2"]);
    expect((await bench.jobs("like"))[0]!.orderKey).toBeNull();
    expect((await bench.jobs("gone"))[0]!.orderKey).toBe("*");
  });

  test("gets only updates of its columns, once the table tells of their old values", async () => {
    const [trouble] = await node.changes.apply([
      handler({ name: "status", operations: ["update"], columns: ["status"] }),
    ]);
    expect(trouble).toMatchObject({
      handler: "status",
      severity: "warning",
      hint: expect.stringContaining("replica identity full"),
    });
    await bench.sql("alter table entries replica identity full");
    expect(
      await node.changes.apply([handler({ name: "status", operations: ["update"], columns: ["status"] })]),
    ).toEqual([]);
    await bench.sql("insert into entries values (1, 'a', 'x')");
    await bench.sql("update entries set body = 'y'");
    await bench.sql("update entries set status = 'a'");
    await bench.sql("update entries set status = 'b', body = 'z'");
    await poll(() => bench.words("status")).toEqual(["update 1"]);
    const [job] = await bench.jobs("status");
    expect(job!.payload).toMatchObject({ row: { status: "b" }, oldRow: { id: 1, status: "a", body: "y" } });
    // The row is still named by its primary key, though all columns are in the log.
    expect(job!.orderKey).toBe("1");
    await bench.sql("alter table entries replica identity default");
  });

  test("gets large values that an update left as they were", async () => {
    await node.changes.apply([handler({ name: "large", operations: ["update"] })]);
    await bench.sql("alter table entries alter body set storage external");
    await bench.sql("insert into entries values (1, 'a', repeat('x', 20000))");
    await bench.sql("update entries set status = 'b'");
    await poll(() => bench.words("large")).toEqual(["update 1"]);
    const [job] = await bench.jobs("large");
    expect((job!.payload.row as { body: string }).body).toHaveLength(20_000);
  });

  test("gets what is too large for a job without its large values, and never stands still over it", async () => {
    await node.changes.apply([handler({ name: "huge" })]);
    await bench.sql("insert into entries values (1, 'a', repeat('x', 2000000)), (2, 'b', 'small')");
    await poll(() => bench.words("huge")).toEqual(["insert 1", "insert 2"]);
    const [job] = await bench.jobs("huge");
    expect(job!.payload.row).toEqual({ id: 1, status: "a", amount: null });
  });

  test("gets JSON that PostgreSQL's jsonb cannot keep, made so that it can", async () => {
    await bench.sql("create table raw (id int primary key, value json)");
    await node.changes.apply([handler({ name: "raw", table: "raw" })]);
    await bench.sql(String.raw`insert into raw values (1, '{"a":"x\u0000y"}')`);
    await poll(() => bench.words("raw")).toEqual(["insert 1"]);
    expect((await bench.jobs("raw"))[0]!.payload.row).toEqual({ id: 1, value: { a: "x\ufffdy" } });
  });

  test("on a partitioned table gets what happens in its parts, under its name", async () => {
    await bench.sql(`create table parted (id int, day date, primary key (id, day)) partition by range (day);
      create table parted_1 partition of parted for values from ('2026-01-01') to ('2027-01-01')`);
    expect(await node.changes.apply([handler({ name: "parted", table: "parted" })])).toEqual([]);
    await bench.sql("insert into parted values (1, '2026-05-01')");
    await poll(() => bench.words("parted")).toEqual(["insert 1"]);
    const [job] = await bench.jobs("parted");
    expect(job).toMatchObject({ orderKey: '["1","2026-05-01"]', payload: { table: "parted" } });
  });
});

describe("the publication of readers", () => {
  test("has exactly the tables that handlers ask for", async () => {
    await bench.sql("create table other (id int primary key)");
    await node.changes.apply([handler({ name: "one" }), handler({ name: "two", table: "other" })]);
    expect(await bench.published()).toEqual(["public.entries", "public.other"]);
    await node.changes.apply([handler({ name: "two", table: "public.other".slice(7) })]);
    expect(await bench.published()).toEqual(["public.other"]);
    await node.changes.apply([]);
    expect(await bench.published()).toEqual([]);
  });

  test("has a table as soon as a migration makes it", async () => {
    const [trouble] = await node.changes.apply([handler({ name: "later", table: "later" })]);
    expect(trouble).toMatchObject({ severity: "warning", message: "There is no table public.later yet." });
    await bench.sql("create table later (id int primary key)");
    await poll(() => bench.published()).toEqual(["public.later"]);
    await bench.sql("insert into later values (5)");
    await poll(() => bench.words("later")).toEqual(["insert 5"]);
  });

  test("takes no table in whose app could not write any more, and says what to do", async () => {
    await bench.sql("create table keyless (id int)");
    const [trouble] = await node.changes.apply([handler({ name: "keyless", table: "keyless" })]);
    expect(trouble).toMatchObject({ severity: "error", hint: expect.stringContaining("primary key") });
    await bench.sql("insert into keyless values (1); update keyless set id = 2; delete from keyless");
    expect(await bench.published()).toEqual([]);
    // One that loses its key later is taken out again, and that is written down.
    await bench.sql("create table losing (id int primary key)");
    expect(await node.changes.apply([handler({ name: "losing", table: "losing" })])).toEqual([]);
    await bench.sql("alter table losing drop constraint losing_pkey");
    await poll(() => bench.published()).toEqual([]);
    await bench.sql("insert into losing values (1); update losing set id = 2");
    await poll(() => bench.sql("select handler, reason from mainstay.change_gaps")).toEqual([
      { handler: "losing", reason: "unpublished" },
    ]);
  });

  test("takes in none of the server's own tables", async () => {
    const [trouble] = await node.changes.apply([handler({ name: "own", schema: "mainstay", table: "jobs" })]);
    expect(trouble).toMatchObject({ severity: "error", message: expect.stringContaining("server's own") });
    expect(await bench.published()).toEqual([]);
  });

  test("a filter that cannot be used is its author's to hear of, and nobody else waits for it", async () => {
    const troubles = await node.changes.apply([
      handler({ name: "unknown", filter: "nothing=eq.1" }),
      handler({ name: "typed", filter: "id=eq.one" }),
      handler({ name: "words", filter: "or=(a.eq.1)" }),
      handler({ name: "good", filter: "id=eq.1" }),
    ]);
    expect(troubles.map(({ handler, severity }) => `${handler} ${severity}`)).toEqual([
      "unknown error",
      "typed error",
      "words error",
    ]);
    await bench.sql("insert into entries values (1)");
    await poll(() => bench.words("good")).toEqual(["insert 1"]);
    await poll(() => bench.sql("select distinct handler, reason from mainstay.change_gaps order by 1")).toEqual([
      { handler: "typed", reason: "filter" },
      { handler: "unknown", reason: "filter" },
      { handler: "words", reason: "filter" },
    ]);
  });
});
