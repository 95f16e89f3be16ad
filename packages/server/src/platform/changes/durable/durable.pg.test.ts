import { afterEach, beforeEach, expect, test } from "vitest";
import type { Observation } from "../../observe/observation.ts";
import { examineReaders } from "../examine/index.ts";
import { DurableBench, LedgerReader, openNode } from "./testing.ts";

let bench: DurableBench;
beforeEach(async () => {
  bench = await DurableBench.open();
});
afterEach(() => bench.close());

const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, at) => at + 1);

const poll = <T>(of: () => T) => expect.poll(of, { interval: 20 });

/** Somebody reads, and what commits now is not before the beginning. */
async function led(names: readonly string[]): Promise<void> {
  await poll(async () =>
    (await bench.sql("select name from mainstay.log_cursors order by name")).map(({ name }) => name),
  ).toEqual([...names].sort());
  await poll(async () =>
    bench.sql("select from pg_replication_slots where temporary and active and database = current_database()"),
  ).not.toEqual([]);
}

test("a reader that is new begins now, and takes what commits, in order, in transactions of its own", async () => {
  await bench.sql("insert into entries values (0)");
  bench.node().log.followDurably(new LedgerReader("one"));
  await led(["one"]);
  await bench.sql("insert into entries select n from generate_series(1, 3) n");
  await bench.sql("insert into entries values (4)");
  await poll(() => bench.taken("one")).toEqual(upTo(4));
  expect(await bench.sql("select from gaps")).toEqual([]);
});

test("goes on after a restart of the node, where it was", async () => {
  const first = bench.node();
  first.log.followDurably(new LedgerReader("one"));
  await led(["one"]);
  await bench.sql("insert into entries values (1)");
  await poll(() => bench.taken("one")).toEqual([1]);
  await first.close();
  await bench.sql("insert into entries values (2)");
  bench.node().log.followDurably(new LedgerReader("one"));
  await bench.sql("insert into entries values (3)");
  await poll(() => bench.taken("one")).toEqual([1, 2, 3]);
});

test("a reader that throws for one entry gets it again until it takes it, and holds up nobody else", async () => {
  const [sound, sick] = [new LedgerReader("sound"), new LedgerReader("sick")];
  let isSick = true;
  let attempts = 0;
  sick.before = (ids) => {
    if (!isSick || !ids.includes(5)) return;
    attempts++;
    throw new Error("not this one");
  };
  const { log } = bench.node();
  log.followDurably(sound);
  log.followDurably(sick);
  await led(["sound", "sick"]);
  for (const id of upTo(10)) await bench.sql(`insert into entries values (${id})`);
  await poll(() => bench.taken("sound")).toEqual(upTo(10));
  await poll(() => attempts).toBeGreaterThan(2);
  // What stands before it was taken, though it had come together with it.
  expect(await bench.taken("sick")).toEqual(upTo(4));
  expect(bench.seen.filter(({ kind }) => kind === "log.reader-failed")).toHaveLength(1);
  isSick = false;
  await poll(() => bench.taken("sick")).toEqual(upTo(10));
  expect(bench.seen.filter(({ kind }) => kind === "log.reader-recovered")).toHaveLength(1);
  expect(await bench.sql("select from gaps")).toEqual([]);
});

test("effects and cursor are one: what a reader did before it threw is not there", async () => {
  const reader = new LedgerReader("one");
  const take = reader.onEntries.bind(reader);
  let times = 0;
  reader.onEntries = async (entries, tx) => {
    await take(entries, tx);
    if (times++ < 3) throw new Error("after the effects");
  };
  bench.node().log.followDurably(reader);
  await led(["one"]);
  await bench.sql("insert into entries select n from generate_series(1, 5) n");
  await poll(() => bench.taken("one")).toEqual(upTo(5));
  expect(times).toBeGreaterThan(3);
});

test("a slow reader falls behind alone, reads for itself, and comes back; nobody misses or repeats anything", async () => {
  const [fast, slow] = [new LedgerReader("fast"), new LedgerReader("slow", 15)];
  const { log } = bench.node({ logReaderQueueBytes: 2_048, logBatchChanges: 10, logPatienceMs: 50 });
  log.followDurably(fast);
  log.followDurably(slow);
  await led(["fast", "slow"]);
  const count = 1_500;
  for (let id = 1; id <= count; id += 5) {
    await bench.sql(`insert into entries select n from generate_series(${id}, ${id + 4}) n`);
  }
  await poll(() => bench.taken("fast")).toEqual(upTo(count));
  expect((await bench.taken("slow")).length).toBeLessThan(count);
  // It has a connection of its own.
  const slots = () => bench.sql("select from pg_replication_slots where temporary and database = current_database()");
  expect(await slots()).toHaveLength(2);
  await poll(() => bench.taken("slow")).toEqual(upTo(count));
  await poll(slots).toHaveLength(1);
  await bench.sql(`insert into entries values (${count + 1})`);
  await poll(() => bench.taken("slow")).toEqual(upTo(count + 1));
  expect(await bench.sql("select from gaps")).toEqual([]);
});

test("a transaction larger than a batch is taken in parts, each once, though the connection is lost between them", async () => {
  const reader = new LedgerReader("one", 5);
  const { log } = bench.node({ logReaderQueueBytes: 4_096, logBatchChanges: 20 });
  log.followDurably(reader);
  await led(["one"]);
  await bench.sql("insert into entries select n from generate_series(1, 2000) n");
  for (let times = 0; times < 3; times++) {
    const before = (await bench.taken("one")).length;
    await poll(async () => (await bench.taken("one")).length).toBeGreaterThan(before + 100);
    await bench.sql(
      "select pg_terminate_backend(active_pid) from pg_replication_slots where temporary and active and database = current_database()",
    );
  }
  await poll(() => bench.taken("one")).toEqual(upTo(2_000));
  const [row] = await bench.sql("select count(distinct lsn)::int as lsns, max(place) as last from ledger");
  expect(row).toEqual({ lsns: 1, last: 1_999 });
});

test("one of several nodes reads; when it goes, another does", async () => {
  const nodes = [bench.node(), bench.node(), bench.node()];
  for (const { log } of nodes) log.followDurably(new LedgerReader("one"));
  await led(["one"]);
  const locks = () =>
    bench.sql(
      "select pid from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())",
    );
  await poll(locks).toHaveLength(1);
  for (const [at, node] of nodes.entries()) {
    await bench.sql(`insert into entries values (${at + 1})`);
    await poll(() => bench.taken("one")).toEqual(upTo(at + 1));
    await node.close();
  }
  await poll(locks).toEqual([]);
});

test("a node that leads no more has no effect: its cursor is not where it left it", async () => {
  const reader = new LedgerReader("one");
  let moved = false;
  reader.before = async (ids) => {
    if (moved || !ids.includes(2)) return;
    moved = true;
    // As another node would, that has read it already.
    throw new Error("once more");
  };
  bench.node().log.followDurably(reader);
  await led(["one"]);
  await bench.sql("insert into entries values (1)");
  await poll(() => bench.taken("one")).toEqual([1]);
  await bench.sql("insert into entries values (2)");
  await poll(() => moved).toBe(true);
  await bench.sql("update mainstay.log_cursors set lsn = pg_current_wal_insert_lsn(), changes = 0, messages = 0");
  await bench.sql("insert into entries values (3)");
  await poll(() => bench.taken("one")).toEqual([1, 3]);
});

test("one can see from inside and from outside how far readers are", async () => {
  const { log } = bench.node();
  expect(log.stats().readers).toEqual([]);
  expect(await examineReaders(bench.db)).toEqual([]);
  const reader = new LedgerReader("one");
  let isSick = true;
  reader.before = () => {
    if (isSick) throw new Error("not now");
  };
  log.followDurably(reader);
  await led(["one"]);
  await bench.sql("insert into entries values (1)");
  await bench.sql("select pg_logical_emit_message(false, 'filler', repeat('x', 3000000))");
  await poll(() => log.stats().readers).toEqual([{ name: "one", lagBytes: expect.any(Number), isFailing: true }]);
  await poll(() => log.stats().readers[0]?.lagBytes).toBeGreaterThan(3_000_000);
  const examined = await examineReaders(bench.db);
  expect(examined).toEqual([{ name: "one", lagBytes: expect.any(Number), unreadMs: expect.any(Number) }]);
  expect(examined[0]?.lagBytes).toBeGreaterThan(3_000_000);
  expect(log.stats().retainedBytes).toBeGreaterThan(3_000_000);
  isSick = false;
  await poll(() => log.stats().readers[0]).toMatchObject({ isFailing: false });
  await poll(() => log.stats().readers[0]?.lagBytes).toBeLessThan(3_000_000);
});

test("R14 a reader that is no more keeps no log for ever; one that comes back after all is told of a gap", async () => {
  const settings = { logReaderForgetMs: 1_000, logRetentionMs: 1_000 };
  const first = bench.node(settings);
  first.log.followDurably(new LedgerReader("old"));
  await led(["old"]);
  await first.close();
  const second = bench.node(settings);
  second.log.followDurably(new LedgerReader("new"));
  await led(["new", "old"]);
  await bench.sql("insert into entries values (1)");
  const isPast = () =>
    bench.sql(`select s.confirmed_flush_lsn > c.lsn as past from pg_replication_slots s, mainstay.log_cursors c
      where c.name = 'old' and s.slot_name like 'mainstay_log_%' and s.database = current_database()`);
  await poll(async () => {
    await bench.sql("select pg_logical_emit_message(false, 'filler', repeat('x', 2000000))");
    return (await isPast())[0];
  }).toEqual({ past: true });
  second.log.followDurably(new LedgerReader("old"));
  await poll(() => bench.sql("select reader, reason from gaps")).toEqual([{ reader: "old", reason: "retention" }]);
  await bench.sql("insert into entries values (2)");
  await poll(() => bench.taken("old")).toContain(2);
  await poll(() => bench.taken("new")).toEqual([1, 2]);
});

test("whoever may not stream is told why nobody reads, once", async () => {
  const role = `${bench.database.name}_user`;
  await bench.sql(`create role ${role} login password 'x'; grant usage on schema mainstay to ${role}`);
  const url = new URL(bench.database.url);
  [url.username, url.password] = [role, "x"];
  const seen: Observation[] = [];
  const { log, db } = openNode(url.href, {}, (one) => void seen.push(one));
  try {
    log.followDurably(new LedgerReader("one"));
    const told = () =>
      seen.flatMap((one) => (one.kind === "warning" && /^Nobody/.test(one.message) ? [one.message] : []));
    await poll(told).toHaveLength(1);
    // Several looks later.
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(told()).toEqual([expect.stringContaining("cannot be followed: permission denied")]);
  } finally {
    await log.close();
    await db.close();
    await bench.sql(`drop owned by ${role}; drop role ${role}`);
  }
});
