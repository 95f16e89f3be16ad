import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { LogEntry } from "../../kernel/change.ts";
import { fillUnchanged } from "./index.ts";
import { LogBench, Witness } from "./testing.ts";
import type { ChangeLog } from "./types.ts";

let bench: LogBench;
let log: ChangeLog;
let witness: Witness;

beforeAll(async () => {
  bench = await LogBench.open();
  log = bench.log();
});
afterAll(() => bench.close());
beforeEach(async () => {
  witness = new Witness();
  await log.follow(witness);
});

/** Everything that has committed before is in the witness's hands. */
async function settled(of = witness): Promise<Witness> {
  const mark = `mark ${Math.random()}`;
  await log.emit("mark", Buffer.from(mark), { isUrgent: true });
  await expect.poll(() => of.messages.some(({ content }) => content.toString() === mark)).toBe(true);
  return of;
}

const published = (name: string) => `alter publication supabase_realtime add table ${name}`;

describe("what is told of a row", () => {
  const large = `(select string_agg(md5(n::text), '') from generate_series(1, 400) n)`;

  it("with the default identity is the key of what was, and that only when it has changed", async () => {
    await bench.sql(`create table by_key (id int primary key, title text, done bool); ${published("by_key")}`);
    await bench.sql(`insert into by_key values (1, 'a', true), (2, null, false)`);
    await bench.sql(`update by_key set title = 'b' where id = 1`);
    await bench.sql(`update by_key set id = 3 where id = 2`);
    await bench.sql(`delete from by_key where id = 1`);
    expect((await settled()).words).toEqual([
      ["insert", "by_key", { id: "1", title: "a", done: "t" }, null],
      ["insert", "by_key", { id: "2", title: null, done: "f" }, null],
      ["update", "by_key", { id: "1", title: "b", done: "t" }, null],
      ["update", "by_key", { id: "3", title: null, done: "f" }, { id: "2" }],
      ["delete", "by_key", null, { id: "1" }],
    ]);
    const [first] = witness.changes;
    expect(first?.relation).toMatchObject({ schema: "public", replicaIdentity: "default" });
    expect(first?.relation.columns.map(({ name, typeName, isKey }) => [name, typeName, isKey])).toEqual([
      ["id", "int4", true],
      ["title", "text", false],
      ["done", "bool", false],
    ]);
  });

  it("with the full identity is all of what was, large values that stayed included", async () => {
    await bench.sql(`create table whole (id int primary key, title text, body text); ${published("whole")};
      alter table whole replica identity full; insert into whole select 1, 'a', ${large}`);
    await bench.sql(`update whole set title = 'b'`);
    await bench.sql("delete from whole");
    const [, update, gone] = (await settled()).changes;
    expect(update?.old).toEqual(["1", "a", expect.stringMatching(/^[0-9a-f]{12800}$/)]);
    expect(update?.new).toEqual(["1", "b", update?.old?.[2]]);
    expect(gone?.old).toEqual(update?.new);
    expect(update?.relation.replicaIdentity).toBe("full");
  });

  it("with an index for identity is that index's columns", async () => {
    await bench.sql(`create table by_index (id int, code text not null unique, title text); ${published("by_index")};
      alter table by_index replica identity using index by_index_code_key; insert into by_index values (1, 'x', 'a')`);
    await bench.sql(`update by_index set code = 'y'`);
    await bench.sql("delete from by_index");
    expect((await settled()).words.slice(1)).toEqual([
      ["update", "by_index", { id: "1", code: "y", title: "a" }, { code: "x" }],
      ["delete", "by_index", null, { code: "y" }],
    ]);
  });

  it("without identity is the row of an insert; PostgreSQL refuses the rest", async () => {
    await bench.sql(
      `create table nameless (id int, title text); alter table nameless replica identity nothing; ${published("nameless")}`,
    );
    await bench.sql(`insert into nameless values (1, 'a')`);
    await expect(bench.sql(`update nameless set title = 'b'`)).rejects.toThrow(/replica identity/);
    await expect(bench.sql(`delete from nameless`)).rejects.toThrow(/replica identity/);
    expect((await settled()).words).toEqual([["insert", "nameless", { id: "1", title: "a" }, null]]);
    await bench.sql("drop table nameless");
  });

  it("leaves out a large value that stayed, which can be asked for while nobody has changed the row", async () => {
    await bench.sql(`create table pages (id int, lang char(4), done bool, at timestamptz, body text, primary key (id, lang)); ${published("pages")};
      insert into pages select n, 'de', true, '2024-05-01 12:00+02', ${large} from generate_series(1, 3) n`);
    const before = (await settled()).changes.length;
    await bench.sql(`update pages set done = false where id < 3`);
    await bench.sql(`set timezone = 'Asia/Tokyo'; update pages set done = null where id = 2`);
    const batches = (await settled()).batches.slice(-2);
    expect(witness.changes.length).toBe(before + 3);
    expect(batches[0]?.changes[0]?.new).toEqual(["1", "de  ", "f", "2024-05-01 10:00:00+00", undefined]);
    const filled = await Promise.all(batches.map(({ xid, changes }) => fillUnchanged(bench.db, xid, changes)));
    const [body] = await bench.sql("select body from pages where id = 1");
    expect(filled.flat().map((change) => change.new)).toEqual([
      ["1", "de  ", "f", "2024-05-01 10:00:00+00", body?.body],
      // R04: changed since, so that nobody can say what it was.
      ["2", "de  ", "f", "2024-05-01 10:00:00+00", undefined],
      ["2", "de  ", null, "2024-05-01 10:00:00+00", body?.body],
    ]);
  });

  it("R04: never fills in a value that another version of the row got within the same transaction", async () => {
    await bench.sql(`create table notes (id int primary key, is_secret bool, body text); ${published("notes")};
      insert into notes select 1, false, ${large}`);
    await bench.sql(
      `begin; update notes set is_secret = false; update notes set is_secret = true, body = reverse(body); commit`,
    );
    const batch = (await settled()).batches.at(-1)!;
    const [open, secret] = await fillUnchanged(bench.db, batch.xid, batch.changes);
    expect(open?.new).toEqual(["1", "f", undefined]);
    expect(secret?.new?.[2]).toHaveLength(12_800);
  });

  it("asks in vain for a table that is gone, and says so by saying nothing", async () => {
    await bench.sql(`create table brief (id int primary key, n int, body text); ${published("brief")};
      insert into brief select 1, 1, ${large}; update brief set n = 2`);
    const batch = (await settled()).batches.at(-1)!;
    await bench.sql("drop table brief");
    expect((await fillUnchanged(bench.db, batch.xid, batch.changes)).at(-1)?.new).toEqual(["1", "2", undefined]);
  });

  it("has no generated columns, and types by their own names", async () => {
    await bench.sql(`create type mood as enum ('good', 'bad'); create domain email as text check (value ~ '@');
      create type pair as (a int, b bool);
      create table typed (id bigint primary key, twice int generated always as (id * 2) stored, m mood, ms mood[], e email, p pair, n numeric[]);
      ${published("typed")}; insert into typed (id, m, ms, e, p, n) values (1, 'bad', '{good,bad}', 'a@b', '(1,t)', '{1.10,NaN}')`);
    const [change] = (await settled()).changes;
    expect(change?.relation.columns.map(({ name, typeName }) => `${name} ${typeName}`)).toEqual([
      "id int8",
      "m mood",
      "ms _mood",
      "e email",
      "p pair",
      "n _numeric",
    ]);
    expect(change?.new).toEqual(["1", "bad", "{good,bad}", "a@b", "(1,t)", "{1.10,NaN}"]);
    expect(change?.relation.columns[4]?.shape).toMatchObject({ kind: "composite" });
  });
});

describe("what is told of tables", () => {
  it("truncation, of all it empties", async () => {
    await bench.sql(`create table parents (id int primary key); create table children (id int primary key references parents);
      ${published("parents")}; ${published("children")}; truncate parents cascade`);
    expect((await settled()).words).toEqual([
      ["truncate", "parents", null, null],
      ["truncate", "children", null, null],
    ]);
  });

  it("partitions by their own names, or their root's, as the publication says", async () => {
    await bench.sql(`create table days (day int, n int, primary key (day, n)) partition by range (day);
      create table days_1 partition of days for values from (1) to (2);
      create table days_2 partition of days for values from (2) to (3); ${published("days")};
      insert into days values (1, 1), (2, 2); update days set day = 2 where n = 1`);
    expect((await settled()).words).toEqual([
      ["insert", "days_1", { day: "1", n: "1" }, null],
      ["insert", "days_2", { day: "2", n: "2" }, null],
      ["delete", "days_1", null, { day: "1", n: "1" }],
      ["insert", "days_2", { day: "2", n: "1" }, null],
    ]);
    await bench.sql(`alter publication supabase_realtime set (publish_via_partition_root = true)`);
    try {
      await bench.sql(`insert into days values (1, 5)`);
      expect((await settled()).words.at(-1)).toEqual(["insert", "days", { day: "1", n: "5" }, null]);
    } finally {
      await bench.sql(`alter publication supabase_realtime set (publish_via_partition_root = false)`);
    }
  });

  it("fills large values of a partitioned table, too", async () => {
    await bench.sql(`create table parts (day int primary key, n int, body text) partition by range (day);
      create table parts_1 partition of parts for values from (1) to (2); ${published("parts")};
      insert into parts select 1, 1, ${"(select string_agg(md5(n::text), '') from generate_series(1, 400) n)"}`);
    await bench.sql(`alter publication supabase_realtime set (publish_via_partition_root = true)`);
    try {
      await bench.sql(`update parts set n = 2`);
      const batch = (await settled()).batches.at(-1)!;
      expect(batch.changes[0]?.relation.name).toBe("parts");
      expect((await fillUnchanged(bench.db, batch.xid, batch.changes))[0]?.new?.[2]).toHaveLength(12_800);
    } finally {
      await bench.sql(`alter publication supabase_realtime set (publish_via_partition_root = false)`);
    }
  });

  it("a schema that changes between rows, and in the middle of a transaction, in order", async () => {
    await bench.sql(`create table moving (id int primary key, a text); ${published("moving")}`);
    await settled();
    const heard: string[] = [];
    const stopHearing = log.onSchemaChange(async () => {
      heard.push("schema");
      await new Promise((resolve) => setImmediate(resolve));
    });
    const follower = new Witness();
    follower.onEntry = (entry: LogEntry) => {
      if (entry.kind !== "batch") return;
      for (const { relation, new: now } of entry.changes)
        heard.push(`${relation.columns.map(({ name }) => name)}: ${now}`);
    };
    const following = await log.follow(follower);
    await bench.sql(`insert into moving values (1, 'a')`);
    await bench.sql(
      `begin; insert into moving values (2, 'b'); alter table moving add column c int default 7; insert into moving values (3, 'c'); commit`,
    );
    await bench.sql(`alter table moving rename column a to title; insert into moving values (4, 'd', 8)`);
    await bench.sql(`alter table moving drop column c; insert into moving values (5, 'e')`);
    await bench.sql(`alter table moving alter column title type int using 0; insert into moving values (6, 6)`);
    await settled();
    following.stop();
    stopHearing();
    expect(heard).toEqual([
      "id,a: 1,a",
      "id,a: 2,b",
      "schema",
      "id,a,c: 3,c,7",
      "schema",
      "id,title,c: 4,d,8",
      "schema",
      "id,title: 5,e",
      "schema",
      // The table's rows are written anew, which is no change of them.
      "id,title: 6,6",
    ]);
  });

  describe("of a publication that comes and goes", () => {
    const make = "create publication supabase_realtime_messages_publication for table late";
    const drop = "drop publication if exists supabase_realtime_messages_publication";
    beforeAll(() => bench.sql("create table late (id int primary key)"));
    afterAll(() => bench.sql(drop));

    it("are told from its coming to its going", async () => {
      await bench.sql(make);
      await settled();
      await bench.sql("insert into late values (1)");
      await settled();
      await bench.sql(drop);
      await settled();
      await bench.sql("insert into late values (2)");
      await settled();
      await bench.sql(make);
      await settled();
      await bench.sql("insert into late values (3)");
      await settled();
      expect(witness.changes.map(({ new: row }) => row?.[0])).toEqual(["1", "3"]);
      expect(witness.gaps).toEqual([]);
    });

    // Before PostgreSQL 18, log from between the two cannot be decoded: it is left behind, and that is said.
    it("are told again though it was gone for a moment", async () => {
      await bench.sql(drop);
      await bench.sql("insert into late values (4)");
      await bench.sql(make);
      await expect
        .poll(async () => {
          await bench.sql("delete from late where id = 5; insert into late values (5)");
          return witness.changes.some(({ new: row }) => row?.[0] === "5");
        })
        .toBe(true);
      expect(witness.changes.some(({ new: row }) => row?.[0] === "4")).toBe(false);
    });
  });
});

describe("the order", () => {
  it("R15: is that of commits, whoever began first", async () => {
    await bench.sql(`create table steps (id serial primary key, who text); ${published("steps")}`);
    const [early, late] = [await bench.db.connect(), await bench.db.connect()];
    try {
      for (const client of [early, late]) await client.query("begin");
      for (let n = 0; n < 50; n++) {
        await early.query("insert into steps (who) values ('early')");
        await late.query("insert into steps (who) values ('late')");
      }
      await late.query("commit");
      await early.query("commit");
    } finally {
      await early.end();
      await late.end();
    }
    await settled();
    expect(witness.batches.map(({ changes }) => new Set(changes.map(({ new: row }) => row?.[1])))).toEqual([
      new Set(["late"]),
      new Set(["early"]),
    ]);
    const [first, second] = witness.batches;
    expect(first!.endLsn <= second!.lsn).toBe(true);
    expect(first!.committedAtUs <= second!.committedAtUs).toBe(true);
    expect(Number(first!.committedAtUs / 1_000n)).toBeGreaterThan(Date.now() - 60_000);
    const ids = witness.changes.map(({ new: row }) => Number(row?.[0]));
    expect(ids).not.toEqual([...ids].sort((a, b) => a - b));
  });

  it("has nothing of what was rolled back", async () => {
    await bench.sql(`create table undone (id int primary key); ${published("undone")}`);
    await bench.sql(`begin; insert into undone values (1); rollback`);
    await bench.sql(
      `begin; insert into undone values (2); savepoint s; insert into undone values (3); rollback to s; commit`,
    );
    expect((await settled()).words).toEqual([["insert", "undone", { id: "2" }, null]]);
  });
});

describe("messages", () => {
  it("given together travel together, in order, with the bytes they had", async () => {
    const contents = Array.from({ length: 500 }, (_, at) => Buffer.from([at >> 8, at & 255, 0, 255]));
    await Promise.all(contents.map((content) => log.emit("many", content)));
    await log.emit("many", Buffer.alloc(0), { isUrgent: true });
    await settled();
    const many = witness.messages.filter(({ prefix }) => prefix === "many");
    expect(many.map(({ content }) => content)).toEqual([...contents, Buffer.alloc(0)]);
    const places = witness.messages.map(({ lsn }) => lsn);
    expect(places).toEqual([...new Set(places)].sort((a, b) => (a < b ? -1 : 1)));
  });

  it("beyond what may wait are refused, and the others written", async () => {
    const small = bench.log({ logEmitQueueBytes: 1024 * 1024 });
    const outcomes = await Promise.allSettled(
      [1, 2, 3].map((n) => small.emit("big", Buffer.alloc(400_000, n), { isUrgent: true })),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected"]);
    expect((outcomes[2] as PromiseRejectedResult).reason).toMatchObject({
      code: "changes/emit-overloaded",
      status: 503,
    });
    await settled();
    expect(witness.messages.filter(({ prefix }) => prefix === "big").map(({ content }) => content[0])).toEqual([1, 2]);
    await expect(small.emit("a\0b", Buffer.alloc(1))).rejects.toThrow(RangeError);
  });

  it("of a transaction come with its commit, or not at all", async () => {
    await bench.sql(`begin; select pg_logical_emit_message(true, 'kept', 'a'); commit`);
    await bench.sql(`begin; select pg_logical_emit_message(true, 'undone', 'b'); rollback`);
    await settled();
    expect(witness.messages.map(({ prefix }) => prefix)).toEqual(["kept", "mark"]);
  });
});

describe("who follows", () => {
  it("from a place gets what came after it, and nothing twice", async () => {
    await bench.sql(`create table kept (id int primary key); ${published("kept")}; insert into kept values (1)`);
    await bench.sql(`insert into kept values (2)`);
    await bench.sql(`insert into kept values (3)`);
    await settled();
    const [first] = witness.batches;
    const again = new Witness();
    await log.follow(again, first!.endLsn);
    await settled(again);
    expect(again.changes.map(({ new: row }) => row?.[0])).toEqual(["2", "3"]);
    expect([...log.between(first!.lsn, witness.batches[1]!.endLsn)!]).toEqual(witness.batches.slice(0, 2));
  });

  it("from a place that is no longer kept, or of another log, is told of a gap", async () => {
    const [old, foreign] = [new Witness(), new Witness()];
    await log.follow(old, 1n);
    await log.follow(foreign, 2n ** 60n);
    await settled(old);
    await settled(foreign);
    expect([old.gaps, foreign.gaps]).toEqual([["retention"], ["slot-lost"]]);
    expect(log.between(1n, 2n)).toBeNull();
  });

  it("and has taken in everything stands where the log does", async () => {
    const following = await log.follow(new Witness());
    await settled();
    await expect.poll(() => following.position()).toBe(log.position());
    following.stop();
  });

  it("a second node, gets the same, and what the first one emits", async () => {
    await bench.sql(`create table shared (id int primary key); ${published("shared")}`);
    const other = bench.log();
    const there = new Witness();
    await other.follow(there);
    await bench.sql(`insert into shared select generate_series(1, 100)`);
    await log.emit("node", Buffer.from("hello"), { isUrgent: true });
    await settled(there);
    await settled();
    const rows = (of: Witness) =>
      of.changes.filter(({ relation }) => relation.name === "shared").map(({ new: row }) => row);
    expect(rows(there)).toHaveLength(100);
    expect(rows(there)).toEqual(rows(witness));
    expect(there.messages.some(({ prefix }) => prefix === "node")).toBe(true);
    await other.close();
    await expect(other.follow(new Witness())).rejects.toMatchObject({ code: "changes/closed" });
  });
});

it("knows types, and fills large values, of transactions that have only just ended", async () => {
  const seen: unknown[] = [];
  for (let n = 0; n < 30; n++) {
    await bench.sql(`begin; create type kind_${n} as (a int, b bool); create table fresh_${n} (id int primary key, k kind_${n}, n int, body text);
      alter publication supabase_realtime add table fresh_${n};
      insert into fresh_${n} select 1, '(1,t)', 1, string_agg(md5(g::text), '') from generate_series(1, 400) g; commit`);
    await bench.sql(`update fresh_${n} set n = 2`);
    const updated = () =>
      witness.batches.find(({ changes: [first] }) => first?.op === "update" && first.relation.name === `fresh_${n}`);
    await expect.poll(updated, { interval: 1 }).toBeDefined();
    const batch = updated()!;
    const [filled] = await fillUnchanged(bench.db, batch.xid, batch.changes);
    seen.push([
      filled?.relation.columns[1]?.typeName,
      filled?.relation.columns[1]?.shape?.kind,
      filled?.new?.[3]?.length,
    ]);
    await bench.sql(`drop table fresh_${n}`);
    await settled();
  }
  expect(seen).toEqual(Array.from({ length: 30 }, (_, n) => [`kind_${n}`, "composite", 12_800]));
});
