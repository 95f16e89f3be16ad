import type pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Batch, ChangedRelation, LogEntry, Lsn } from "../../../kernel/change.ts";
import type { ChangeLog, LiveReader } from "../../changes/index.ts";
import { Asker } from "../asker.ts";
import type { SetQuery } from "../compile/index.ts";
import { type Engine, openEngine } from "../engine.testing.ts";
import { principal } from "../testing.ts";
import { FollowedTables } from "./followed-tables.ts";
import { KeptSet } from "./kept-set.ts";
import { SetMemory } from "./set-memory.ts";

/** A log that shows what it is told to, at a moment of its choosing: as PostgreSQL's may be ahead of what others see. */
class ScriptedLog implements Pick<ChangeLog, "follow" | "between" | "position"> {
  readonly #entries: LogEntry[] = [];
  #reader: LiveReader | null = null;
  #end: Lsn = 100n;
  isGone = false;

  async follow(reader: LiveReader) {
    this.#reader = reader;
    return { position: () => this.#end, stop() {} };
  }

  position(): Lsn {
    return this.#end;
  }

  between(from: Lsn): Iterable<LogEntry> | null {
    return this.isGone ? null : this.#entries.filter(({ lsn }) => lsn >= from);
  }

  /** A part of a transaction; the last one unless said otherwise. */
  show(xid: number, relation: ChangedRelation, { isLast = true, first = 0 } = {}): void {
    const changes = [{ op: "delete", relation, new: null, old: ["1", null] }] as const;
    const common = { kind: "batch", xid, committedAtUs: 0n, changes, first, isLast } as const;
    const batch: Batch = { ...common, lsn: this.#end, endLsn: isLast ? this.#end + 10n : this.#end };
    if (isLast) this.#end += 10n;
    this.#entries.push(batch);
    void this.#reader?.onEntry(batch);
  }

  gap(): void {
    this.#reader?.onGap("retention");
  }
}

const id = "00000000-0000-4000-8000-000000000001";
const ann = principal("authenticated", { sub: id, role: "authenticated" }, id);
const query: SetQuery = {
  sql: "select m.room::text as c0 from public.members m",
  tables: [{ schema: "public", name: "members" }],
  correlates: [],
  value: "integer",
  isScalar: false,
};

let engine: Engine;
let members: ChangedRelation;
let other: ChangedRelation;
let writer: pg.Client;
let log: ScriptedLog;
let tables: FollowedTables;
let asker: Asker;
let set: KeptSet;
const reports: string[] = [];

beforeAll(async () => {
  engine = await openEngine({
    sql: `create table members (room int primary key, user_id uuid); create table others (id int primary key);
      grant select on members, others to authenticated`,
  });
  members = await engine.relation("members");
  other = await engine.relation("others");
  writer = await engine.db.connect();
});
afterAll(async () => {
  await writer.end();
  await engine.close();
});
afterEach(async () => {
  await writer.query("rollback");
});
beforeEach(async () => {
  await engine.sql("truncate members; insert into members select generate_series(1, 3)");
  reports.length = 0;
  log = new ScriptedLog();
  tables = new FollowedTables({ database: engine.db, log, report: (message) => void reports.push(message) });
  asker = new Asker({
    session: engine.session,
    settings: { policyTimeoutMs: 2_000, policyRetryMs: 1_000, policyQuestionsInFlight: 4 },
  });
  set = makeSet();
});

function makeSet(limitRows = 100, memory = new SetMemory(1_000)): KeptSet {
  const reach = { claims: [], tables: [members.oid], readsClock: false };
  return new KeptSet(query, reach, ann, { asker, tables, memory, limitRows, patienceMs: 500 });
}

/** What the set holds, and how many statements that took. */
async function held(of = set): Promise<{ readonly rooms: readonly string[] | null; readonly asked: number }> {
  const before = asker.asked;
  const content = await of.content();
  const rooms = content === null ? null : [...content.groups.values()].flatMap(({ values }) => [...values]).sort();
  return { rooms, asked: asker.asked - before };
}

/** Until the table is followed and the set is kept. */
const kept = () => expect.poll(async () => (await held()).asked).toBe(0);

async function begin(sql: string): Promise<number> {
  await writer.query("begin");
  await writer.query(sql);
  const { rows } = await writer.query<{ xid: string }>("select pg_current_xact_id()::xid::text as xid");
  return Number(rows[0]!.xid);
}

describe("what a sub-select says", () => {
  it("is asked again when one of its tables has changed, and not for others", async () => {
    await kept();
    log.show(await begin("insert into others values (1)"), other);
    await writer.query("commit");
    expect(await held()).toEqual({ rooms: ["1", "2", "3"], asked: 0 });
    const xid = await begin("delete from members where room = 1");
    await writer.query("commit");
    log.show(xid, members);
    expect(await held()).toEqual({ rooms: ["2", "3"], asked: 1 });
    expect(await held()).toEqual({ rooms: ["2", "3"], asked: 0 });
  });

  it("R05 is never older than what the log has shown, though others may not see it yet", async () => {
    await kept();
    const xid = await begin("delete from members where room = 1");
    log.show(xid, members);
    const waiting = held();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await writer.query("commit");
    const { rooms, asked } = await waiting;
    expect(rooms).toEqual(["2", "3"]);
    expect(asked).toBeGreaterThan(1);
    expect(await held()).toEqual({ rooms: ["2", "3"], asked: 0 });
  });

  it("is not given when it stays older than that", async () => {
    await kept();
    log.show(await begin("delete from members where room = 1"), members);
    await expect(set.content()).rejects.toThrow("still not visible");
  });

  it("is not kept when something has changed while it was asked for", async () => {
    await kept();
    const first = await begin("delete from members where room = 1");
    await writer.query("commit");
    log.show(first, members);
    const asking = held();
    const second = await begin("delete from members where room = 2");
    log.show(second, members);
    await writer.query("commit");
    await asking;
    expect((await held()).rooms).toEqual(["3"]);
    expect(await held()).toEqual({ rooms: ["3"], asked: 0 });
  });

  it("is asked for once by all who need it at a time", async () => {
    await kept();
    const xid = await begin("delete from members where room = 1");
    await writer.query("commit");
    log.show(xid, members);
    const before = asker.asked;
    await Promise.all(Array.from({ length: 50 }, () => set.content()));
    expect(asker.asked - before).toBe(1);
  });

  it("holds what the end of a transaction does when its beginning is judged", async () => {
    await kept();
    const xid = await begin("insert into others values (2); delete from members where room = 1");
    await writer.query("commit");
    log.show(xid, other, { isLast: false });
    expect(await held()).toEqual({ rooms: ["2", "3"], asked: 1 });
    log.show(xid, members, { first: 1 });
    // It has been seen already.
    expect(await held()).toEqual({ rooms: ["2", "3"], asked: 0 });
  });

  it("is not kept before all who had written to its table are over", async () => {
    await begin("delete from members where room = 1");
    tables = new FollowedTables({ database: engine.db, log, report: (message) => void reports.push(message) });
    const fresh = makeSet();
    for (let n = 0; n < 10; n++) {
      expect((await held(fresh)).asked).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await writer.query("commit");
    await expect.poll(async () => (await held(fresh)).asked).toBe(0);
    expect((await held(fresh)).rooms).toEqual(["2", "3"]);
  });

  it("R13 is asked again after a gap, or when what the log had has gone", async () => {
    await kept();
    await engine.sql("delete from members where room = 1");
    log.gap();
    expect((await held()).rooms).toEqual(["2", "3"]);
    await kept();
    await engine.sql("delete from members where room = 2");
    log.isGone = true;
    expect((await held()).rooms).toEqual(["3"]);
    log.isGone = false;
    await kept();
  });

  it("is not kept when it has too many rows, and that is kept", async () => {
    const small = makeSet(2);
    await expect.poll(async () => (await held(small)).asked).toBe(0);
    expect((await held(small)).rooms).toBeNull();
  });

  it("goes when others need the room", async () => {
    const memory = new SetMemory(6);
    const [one, two] = [makeSet(100, memory), makeSet(100, memory)];
    await expect.poll(async () => (await held(one)).asked).toBe(0);
    await held(two);
    expect((await held(one)).asked).toBe(1);
    expect(memory.rows).toBeLessThanOrEqual(6);
  });
});

describe("a table that is followed", () => {
  it("is put into the publication once, and taken out when it is not fit for it any more", async () => {
    await kept();
    const published = "select pubname from pg_publication_tables where tablename = 'members'";
    expect(await engine.sql(published)).toEqual([{ pubname: "mainstay_policies" }]);
    await engine.sql("alter table members drop constraint members_pkey");
    await expect(engine.sql("delete from members where room = 1")).rejects.toThrow("replica identity");
    await tables.tidy();
    expect(await engine.sql(published)).toEqual([]);
    await engine.sql("delete from members where room = 1; alter table members add primary key (room)");
    expect(reports).toEqual([expect.stringContaining("public.members")]);
  });

  it("is left alone when a publication has only some of its columns, which could not be decoded then", async () => {
    await engine.sql(`create table partial (id int primary key, a text, b text); grant select on partial to authenticated;
      alter publication supabase_realtime add table partial (id, a) where (id > 1)`);
    const partial = await engine.relation("partial");
    tables.ensure([partial.oid]);
    await expect.poll(() => reports.join()).toContain("some of its columns or rows");
    expect(tables.stamp([partial.oid]).isFollowed).toBe(false);
    expect(await engine.sql("select pubname from pg_publication_tables where tablename = 'partial'")).toEqual([
      { pubname: "supabase_realtime" },
    ]);
  });

  it("is not in need of another publication when one has all of its changes", async () => {
    await engine.sql(`create table whole (id int primary key); alter publication supabase_realtime add table whole`);
    const whole = await engine.relation("whole");
    tables.ensure([whole.oid]);
    await expect.poll(() => tables.stamp([whole.oid]).isFollowed).toBe(true);
    expect(await engine.sql("select pubname from pg_publication_tables where tablename = 'whole'")).toEqual([
      { pubname: "supabase_realtime" },
    ]);
  });
});
