import { randomUUID } from "node:crypto";
import { sql } from "pg-sql2";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Observation } from "../observe/observation.ts";
import { type Database, type DatabaseOptions, openDatabase } from "./database.ts";
import { openWire, useDatabase, type Wire } from "./session/testing.ts";

const database = useDatabase("create table things (id int primary key)");
const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

interface Node {
  readonly db: Database;
  readonly wire: Wire;
  readonly seen: Observation[];
  /** Its connections, by the numbers of PostgreSQL's processes. */
  connections(): Promise<number[]>;
}

/** A database of one process, over a wire that can be cut, and what it reports. */
async function open(options: DatabaseOptions = {}): Promise<Node> {
  const url = new URL(database.url());
  const wire = await openWire(Number(url.port));
  opened.push(wire);
  url.port = String(wire.port);
  const name = randomUUID();
  url.searchParams.set("application_name", name);
  const seen: Observation[] = [];
  const db = openDatabase({ connectionString: url.href }, { ...options, observe: (one) => void seen.push(one) });
  opened.push(db);
  return {
    db,
    wire,
    seen,
    async connections() {
      const { rows } = await database
        .admin()
        .query<{ pid: number }>("select pid from pg_stat_activity where application_name = $1", [name]);
      return rows.map(({ pid }) => pid);
    },
  };
}

const notify = (channel: string, payload = "") =>
  database.admin().query("select pg_notify($1, $2)", [channel, payload]);
const eventually = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 30_000, interval: 10 });
const kinds = (seen: readonly Observation[]) => seen.map(({ kind }) => kind);

describe("listening", () => {
  test("tells each what is said on its channels and nothing else, over one connection", async () => {
    const { db, connections } = await open();
    const [first, second, both] = [vi.fn(), vi.fn(), vi.fn()];
    await db.listen(["first"], first);
    await db.listen(['Second channel; "quoted"'], second);
    await db.listen(["first", 'Second channel; "quoted"'], both);
    await notify("first", "a");
    await notify('Second channel; "quoted"', "b");
    await notify("nobody's", "c");
    await notify("first");
    await eventually(() => expect(both.mock.calls).toEqual([["a"], ["b"], [""]]));
    expect(first.mock.calls).toEqual([["a"], [""]]);
    expect(second.mock.calls).toEqual([["b"]]);
    expect(await connections()).toHaveLength(1);
  });

  test("begins with the first and ends with the last who listens; who has left is told nothing", async () => {
    const { db, connections } = await open();
    expect(await connections()).toEqual([]);
    const [stays, leaves] = [vi.fn(), vi.fn()];
    const stop = await db.listen(["shared", "own"], leaves);
    const stopLast = await db.listen(["shared"], stays);
    await stop();
    await stop();
    await notify("own", "1");
    await notify("shared", "2");
    await eventually(() => expect(stays.mock.calls).toEqual([["2"]]));
    expect(leaves).not.toHaveBeenCalled();
    await stopLast();
    await eventually(async () => expect(await connections()).toEqual([]));
    const again = vi.fn();
    await db.listen(["shared"], again);
    await notify("shared", "3");
    await eventually(() => expect(again.mock.calls).toEqual([["3"]]));
    expect(stays.mock.calls).toEqual([["2"]]);
  });

  test("a channel that is left and listened to at once is heard, whoever comes first", async () => {
    const { db } = await open();
    await db.listen(["other"], () => {});
    for (let round = 0; round < 20; round++) {
      const stop = await db.listen(["busy"], () => {});
      const told = vi.fn();
      const [stopNext] = await Promise.all([db.listen(["busy"], told), stop()]);
      await notify("busy", String(round));
      await eventually(() => expect(told.mock.calls).toEqual([[String(round)]]));
      void stopNext();
    }
  });

  test("after a loss tells all that they may have missed news, and hears what follows, also on a channel added meanwhile", async () => {
    const { db, seen, connections } = await open();
    const [early, late] = [vi.fn(), vi.fn()];
    await db.listen(["early"], early);
    await database.admin().query("select pg_terminate_backend($1)", [(await connections())[0]]);
    await eventually(() => expect(kinds(seen)).toContain("postgres.connection-lost"));
    await db.listen(["late"], late);
    await eventually(() => expect([early.mock.calls, late.mock.calls]).toEqual([[[null]], [[null]]]));
    await notify("early", "1");
    await notify("late", "2");
    await eventually(() =>
      expect([early.mock.calls, late.mock.calls]).toEqual([
        [[null], ["1"]],
        [[null], ["2"]],
      ]),
    );
    expect(seen).toEqual([
      expect.objectContaining({ kind: "postgres.connection-lost", lane: "listener" }),
      expect.objectContaining({ kind: "postgres.reconnected", lane: "listener" }),
    ]);
  });

  test("X09 a connection that died without a word is noticed, and closing does not wait for it", async () => {
    const { db, wire, seen } = await open({ listenerHeartbeatMs: 200 });
    const told = vi.fn();
    await db.listen(["far"], told);
    wire.freeze();
    await notify("far", "lost");
    await eventually(() => expect(told.mock.calls).toEqual([[null]]));
    expect(kinds(seen)).toEqual(["postgres.connection-lost", "postgres.reconnected"]);
    await notify("far", "heard");
    await eventually(() => expect(told.mock.calls).toEqual([[null], ["heard"]]));
    wire.freeze();
    opened.splice(opened.indexOf(db), 1);
    await db.close();
  });

  test("X09 waits for a PostgreSQL that is not there, says so once, and tells when it is", async () => {
    const url = new URL(database.url());
    const parked = await openWire(Number(url.port));
    await parked.close();
    url.port = String(parked.port);
    const seen: Observation[] = [];
    const db = openDatabase({ connectionString: url.href }, { observe: (one) => void seen.push(one) });
    opened.push(db);
    const told = vi.fn();
    await db.listen(["patient"], told);
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(kinds(seen)).toEqual(["postgres.connection-lost"]);
    expect(told).not.toHaveBeenCalled();
    opened.push(await openWire(Number(new URL(database.url()).port), parked.port));
    await eventually(() => expect(told.mock.calls).toEqual([[null]]));
    await notify("patient", "there");
    await eventually(() => expect(told.mock.calls).toEqual([[null], ["there"]]));
  });
});

describe("what is asked in the background", () => {
  const pid = sql`select pg_backend_pid() as pid`;

  test("goes over the connection that listens; over the pool where nobody does, or where a pooler is in between", async () => {
    const { db } = await open();
    const backgroundPid = async () => (await db.background.query<{ pid: number }>(pid))[0]!.pid;
    const pooledPid = (await db.query<{ pid: number }>(pid))[0]!.pid;
    expect(await backgroundPid()).toBe(pooledPid);
    const stop = await db.listen(["any"], () => {});
    const pids = new Set(await Promise.all(Array.from({ length: 10 }, backgroundPid)));
    expect(pids).toHaveLength(1);
    expect(pids).not.toContain(pooledPid);
    await stop();
    expect(await backgroundPid()).toBe(pooledPid);

    const pooled = (await open({ preparesStatements: false })).db;
    await pooled.listen(["any"], () => {});
    const background = await pooled.background.query<{ pid: number; timeout: string }>(
      sql`select pg_backend_pid() as pid, current_setting('statement_timeout') as timeout`,
    );
    expect(background).toEqual([{ pid: (await pooled.query<{ pid: number }>(pid))[0]!.pid, timeout: "0" }]);
  });

  test("or by who waits for it goes there while nothing else is asked, and over the pool otherwise", async () => {
    const { db } = await open();
    const warmPid = async () => (await db.warm.query<{ pid: number }>(pid))[0]!.pid;
    const pooledPid = (await db.query<{ pid: number }>(pid))[0]!.pid;
    expect(await warmPid()).toBe(pooledPid);
    await db.listen(["any"], () => {});
    const [{ pid: listening }] = (await db.background.query<{ pid: number }>(pid)) as [{ pid: number }];
    expect(await warmPid()).toBe(listening);
    const [asked, meanwhile] = await Promise.all([db.background.query<{ pid: number }>(pid), warmPid()]);
    expect([asked[0]!.pid, meanwhile]).toEqual([listening, pooledPid]);
    await expect(db.warm.query(sql`select 1 / 0`)).rejects.toMatchObject({ code: "22012" });
    expect(await warmPid()).toBe(listening);
  });

  test("is answered over the pool where it takes too long, and meanwhile the connection is not taken for dead", async () => {
    const { db, seen } = await open({ listenerHeartbeatMs: 400 });
    const told = vi.fn();
    await db.listen(["slow"], told);
    await database.admin().query("begin; lock table things");
    const counted = db.background.query(sql`select count(*)::int as n from things`);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await database.admin().query("commit");
    expect(await counted).toEqual([{ n: 0 }]);
    await notify("slow", "still here");
    await eventually(() => expect(told.mock.calls).toEqual([["still here"]]));
    expect(seen).toEqual([]);
  });

  test("is answered over the pool where the connection is lost, and an error is the caller's alone", async () => {
    const { db, seen, connections } = await open();
    await db.listen(["any"], () => {});
    await expect(db.background.query(sql`select 1 / 0`)).rejects.toMatchObject({ code: "22012" });
    await database.admin().query("select pg_terminate_backend(pid) from unnest($1::int[]) pid", [await connections()]);
    expect(await db.background.query(sql`select 7 as n`)).toEqual([{ n: 7 }]);
    await eventually(() => expect(kinds(seen)).toEqual(["postgres.connection-lost", "postgres.reconnected"]));
  });
});
