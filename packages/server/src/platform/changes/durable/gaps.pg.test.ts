import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "@mainstay/testing";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Observation } from "../../observe/observation.ts";
import { openDatabase } from "../../postgres/database.ts";
import { type EmbeddedPostgres, openEmbeddedPostgres } from "../../postgres/embedded/index.ts";
import { migrate } from "../../postgres/migrate/index.ts";
import { LedgerReader, ledger, openNode } from "./testing.ts";

const poll = <T>(of: () => T) => expect.poll(of, { interval: 50 });

/** Fills the log with what is of no table. */
const fill = (megabytes: number): string =>
  `select count(pg_logical_emit_message(false, 'filler', repeat('x', 1048000))) from generate_series(1, ${megabytes})`;

// A server of their own: what PostgreSQL keeps depends on everything that is written and running on it.
describe("R14", () => {
  let dir: string;
  let postgres: EmbeddedPostgres;
  let url: string;
  let admin: pg.Client;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "mainstay-slot-"));
    postgres = await openEmbeddedPostgres({
      dataDir: join(dir, "postgres"),
      settings: {
        postgresPort: await freePort(),
        postgresMaxSlotWalKeepBytes: 64 * 1024 * 1024,
        postgresMaxWalBytes: 64 * 1024 * 1024,
      },
      observe: () => {},
    });
    const { superuser, port, database } = postgres.connection;
    url = `postgres://${superuser.user}:${encodeURIComponent(superuser.password)}@127.0.0.1:${port}/${database}`;
    const db = openDatabase({ connectionString: url });
    await migrate({
      database: db,
      own: fileURLToPath(new URL("../../../../migrations", import.meta.url)),
      project: null,
      observe: () => {},
    });
    await db.close();
    admin = new pg.Client({ connectionString: url });
    await admin.connect();
    await admin.query(`create table entries (id int primary key, body text);
      alter publication supabase_realtime add table entries; ${ledger}`);
  }, 120_000);
  afterAll(async () => {
    await admin?.end();
    await postgres?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const sql = async (text: string): Promise<Record<string, unknown>[]> => (await admin.query(text)).rows;
  const taken = async (reader = "one"): Promise<readonly number[]> => {
    const { rows } = await admin.query<{ entry: number }>("select entry from ledger where reader = $1 order by n", [
      reader,
    ]);
    return rows.map(({ entry }) => entry);
  };
  const fillUntil = async (state: () => Promise<boolean>) => {
    for (let times = 0; times < 40 && !(await state()); times++) {
      await sql(fill(10));
      await sql("select pg_switch_wal(); checkpoint");
      // Who reads is not to be left behind by the filling, or it would lose its own slot as well.
      await poll(async () => {
        await sql("checkpoint");
        return sql("select from pg_replication_slots where temporary and safe_wal_size < 32 * 1024 * 1024");
      }).toEqual([]);
    }
    expect(await state()).toBe(true);
  };
  const isLost = async () =>
    (await sql("select wal_status from pg_replication_slots where not temporary"))[0]?.wal_status === "lost";

  test("what a reader does not take in is kept up to a bound, beyond which it is told of a gap and goes on", {
    timeout: 120_000,
  }, async () => {
    const bound = 16 * 1024 * 1024;
    const [stuck, other] = [new LedgerReader("stuck"), new LedgerReader("other")];
    let isStuck = true;
    stuck.before = (ids) => {
      if (isStuck && ids.includes(2)) throw new Error("not now");
    };
    const seen: Observation[] = [];
    const { log, db } = openNode(
      url,
      { logRetainedBytes: bound, logRetentionMs: 1_000, logReaderQueueBytes: 2_048 },
      (one) => void seen.push(one),
    );
    log.followDurably(stuck);
    log.followDurably(other);
    await poll(() => sql("select from mainstay.log_cursors")).toHaveLength(2);
    await poll(() => sql("select from pg_replication_slots where temporary and active")).not.toEqual([]);
    await sql("insert into entries values (1)");
    await poll(() => taken("stuck")).toEqual([1]);
    for (let id = 2; id <= 60; id++) await sql(`insert into entries values (${id})`);
    // The log holds more than its memory does, and more than it may.
    await sql(fill(40));
    await poll(() => seen.filter(({ kind }) => kind === "log.gap")).toEqual([
      { kind: "log.gap", reader: "stuck", reason: "retention" },
    ]);
    // PostgreSQL gives up as far as a note of what was running, which a checkpoint makes.
    await poll(async () => {
      await sql(fill(1));
      await sql("checkpoint");
      const [row] = await sql(
        "select max(pg_current_wal_insert_lsn() - restart_lsn)::float8 as kept from pg_replication_slots",
      );
      return row?.kept;
    }).toBeLessThan(2 * bound);
    isStuck = false;
    await poll(() => sql("select reader, reason from gaps")).toEqual([{ reader: "stuck", reason: "retention" }]);
    await sql("insert into entries values (61)");
    await poll(async () => (await taken("stuck")).at(-1)).toBe(61);
    const some = await taken("stuck");
    expect(some.length).toBeLessThan(61);
    expect(some).toEqual([...new Set(some)].sort((a, b) => a - b));
    await poll(() => taken("other")).toEqual(Array.from({ length: 61 }, (_, at) => at + 1));
    await log.close();
    await db.close();
  });

  test("a slot that PostgreSQL has given up is a gap for readers that were away, told once, and they go on from there", {
    timeout: 120_000,
  }, async () => {
    await sql("truncate entries, ledger, gaps; delete from mainstay.log_cursors");
    const seen: Observation[] = [];
    const open = () => {
      const node = openNode(url, {}, (one) => void seen.push(one));
      node.log.followDurably(new LedgerReader("one"));
      return node;
    };
    // The connection of the node before may be ending still, and its slot with it: that one is no sign that this node reads.
    await poll(() => sql("select from pg_replication_slots where temporary")).toEqual([]);
    const before = open();
    await poll(() => sql("select from mainstay.log_cursors")).toHaveLength(1);
    await sql("insert into entries values (1)");
    await poll(() => taken()).toEqual([1]);
    await before.log.close();
    await before.db.close();

    await sql("insert into entries values (2)");
    await fillUntil(isLost);
    const after = open();
    await poll(() => sql("select reason from gaps")).toEqual([{ reason: "slot-lost" }]);
    await sql("insert into entries values (3)");
    await poll(() => taken()).toEqual([1, 3]);
    expect(seen.filter(({ kind }) => kind === "log.gap")).toEqual([
      { kind: "log.gap", reader: "one", reason: "slot-lost" },
    ]);

    // While a node reads, it needs the slot for nothing: it is made anew, and nobody misses anything.
    await fillUntil(isLost);
    await sql("insert into entries values (4)");
    await poll(() => taken()).toEqual([1, 3, 4]);
    await poll(
      async () => (await sql("select wal_status from pg_replication_slots where not temporary"))[0]?.wal_status,
    ).not.toBe("lost");
    expect(await sql("select reason from gaps")).toHaveLength(1);
    await after.log.close();
    await after.db.close();
  });
});
