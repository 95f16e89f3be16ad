import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Witness } from "../../../platform/changes/testing.ts";
import { ChangesBench, handler } from "./testing.ts";

const poll = <T>(of: () => T) => expect.poll(of, { interval: 20 });

let bench: ChangesBench;
beforeEach(async () => {
  bench = await ChangesBench.open();
});
afterEach(() => bench.close());

test("two servers with other code: whichever reads, handlers of both get their changes, and neither takes the other's away", async () => {
  const old = await bench.node();
  await old.changes.apply([handler({ name: "old" })]);
  await bench.followed();
  const young = await bench.node();
  await bench.sql("create table fresh (id int primary key)");
  await young.changes.apply([handler({ name: "old" }), handler({ name: "young", table: "fresh" })]);
  // The old one reads, and has never heard of it.
  await bench.sql("insert into fresh values (1); insert into entries values (1)");
  await poll(() => bench.words("young")).toEqual(["insert 1"]);
  await poll(() => bench.words("old")).toEqual(["insert 1"]);
  // It is started again with its old code, and still takes nothing away.
  await old.close();
  const again = await bench.node();
  await again.changes.apply([handler({ name: "old" })]);
  expect(await bench.published()).toEqual(["public.entries", "public.fresh"]);
  await young.close();
  await bench.sql("insert into fresh values (2)");
  await poll(() => bench.words("young")).toEqual(["insert 1", "insert 2"]);
});

test("what no server wants any more is forgotten after a while, and what has been wanted again in time is not", async () => {
  const gone = await bench.node({ functionsForgetHandlersMs: 1_500 });
  await bench.sql("create table fresh (id int primary key)");
  await gone.changes.apply([handler({ name: "gone", table: "fresh" }), handler({ name: "kept" })]);
  await gone.close();
  const other = await bench.node({ functionsForgetHandlersMs: 1_500 });
  await other.changes.apply([handler({ name: "kept" })]);
  expect(await bench.published()).toEqual(["public.entries", "public.fresh"]);
  await poll(() => bench.published()).toEqual(["public.entries"]);
  expect(await bench.sql("select name from mainstay.change_handlers")).toEqual([{ name: "kept" }]);
});

test("a server that was away goes on where it was", async () => {
  const node = await bench.node();
  await node.changes.apply([handler({ name: "all" })]);
  await bench.followed();
  await bench.sql("insert into entries values (1)");
  await poll(() => bench.words()).toEqual(["insert 1"]);
  await node.close();
  await bench.sql("insert into entries values (2); update entries set status = 'x' where id = 1");
  const next = await bench.node();
  await next.changes.apply([handler({ name: "all" })]);
  await poll(() => bench.words()).toEqual(["insert 1", "insert 2", "update 1"]);
});

test("changes that are lost with the log are written down for the handlers that were there", async () => {
  const node = await bench.node();
  await node.changes.apply([handler({ name: "all" })]);
  await bench.followed();
  await bench.sql("insert into entries values (1)");
  await poll(() => bench.words()).toEqual(["insert 1"]);
  await node.close();
  await bench.sql("insert into entries values (2)");
  await poll(() =>
    bench.sql("select from pg_replication_slots where active and database = current_database()"),
  ).toEqual([]);
  await bench.sql(
    `select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database()`,
  );
  const next = await bench.node();
  await poll(() => bench.sql("select handler, reason from mainstay.change_gaps")).toEqual([
    { handler: "all", reason: "slot-lost" },
  ]);
  expect(bench.seen).toContainEqual({
    kind: "functions.changes-missed",
    handlers: ["all"],
    reason: "slot-lost",
    detail: null,
  });
  await next.changes.apply([handler({ name: "all" }), handler({ name: "young" })]);
  await bench.sql("insert into entries values (3)");
  await poll(() => bench.words("all")).toEqual(["insert 1", "insert 3"]);
  await poll(() => bench.words("young")).toEqual(["insert 3"]);
});

describe("live readers", () => {
  test("get rows of tables that only functions are told of, and realtime's own tables are as they were", async () => {
    const node = await bench.node();
    const witness = new Witness();
    await bench.sql(
      "create table live (id int primary key, secret text); alter publication supabase_realtime add table live",
    );
    const following = await node.log.follow(witness);
    await node.changes.apply([handler({ name: "all" })]);
    await bench.sql("insert into live values (1, 'a')");
    await node.changes.apply([handler({ name: "all" }), handler({ name: "both", table: "live" })]);
    await bench.sql("insert into live values (2, 'b')");
    // What this server itself has dropped is told of nothing more, not even of what came before.
    await poll(() => bench.words("both")).toEqual(["insert 2"]);
    await node.changes.apply([]);
    await bench.sql("insert into live values (3, 'c')");
    await poll(() => witness.changes.filter(({ relation }) => relation.name === "live").length).toBe(3);
    expect(witness.gaps).toEqual([]);
    expect(
      await bench.sql("select tablename as name from pg_publication_tables where pubname = 'supabase_realtime'"),
    ).toEqual([{ name: "live" }]);
    following.stop();
  });

  test("a table of which realtime has only some columns is left to realtime", async () => {
    const node = await bench.node();
    await bench.sql(
      "create table partial (id int primary key, secret text); alter publication supabase_realtime add table partial (id)",
    );
    const [trouble] = await node.changes.apply([handler({ name: "partial", table: "partial" })]);
    expect(trouble).toMatchObject({ severity: "error", message: expect.stringContaining("some of its columns") });
    expect(await bench.published()).toEqual([]);
  });
});
