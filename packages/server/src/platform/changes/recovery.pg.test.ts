import { mkdtemp, rm } from "node:fs/promises";
import { connect as connectSocket, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openDatabase } from "../postgres/database.ts";
import { type EmbeddedPostgres, openEmbeddedPostgres } from "../postgres/embedded/index.ts";
import { connectReplication } from "../postgres/replication.ts";
import { openChangeLog } from "./log.ts";
import { defaults, LogBench, schemaForTests, Witness } from "./testing.ts";
import type { ChangeLog } from "./types.ts";

const ids = (witness: Witness) => witness.changes.map(({ new: row }) => Number(row?.[0]));
const upTo = (last: number) => Array.from({ length: last }, (_, at) => at + 1);

describe("R13: a connection that is lost", () => {
  let bench: LogBench;
  beforeAll(async () => {
    bench = await LogBench.open();
    await bench.sql(
      "create table ledger (id int primary key, body text); alter publication supabase_realtime add table ledger",
    );
  });
  afterAll(() => bench.close());

  const killWalsenders = () =>
    bench.sql(
      `select pg_terminate_backend(active_pid) from pg_replication_slots where database = '${bench.database.name}' and active`,
    );

  it("again and again, in the middle of whatever, loses nothing and repeats nothing", async () => {
    const log = bench.log({ logBatchChanges: 10 });
    const witness = new Witness();
    await log.follow(witness);
    let last = 0;
    for (let round = 0; round < 12; round++) {
      const writes = (async () => {
        for (let n = 0; n < 10; n++) await bench.sql(`insert into ledger select ${++last}`);
        await bench.sql(`insert into ledger select generate_series(${last + 1}, ${last + 500})`);
        last += 500;
      })();
      await new Promise((resolve) => setTimeout(resolve, round * 3));
      const killer = await bench.db.connect();
      await killer.query(
        `select pg_terminate_backend(active_pid) from pg_replication_slots where database = current_database() and active`,
      );
      await killer.end();
      await writes;
    }
    await expect.poll(() => witness.changes.length).toBeGreaterThanOrEqual(last);
    expect(ids(witness)).toEqual(upTo(last));
    expect(witness.gaps).toEqual([]);
    expect(bench.seen.some((one) => one.kind === "postgres.reconnected")).toBe(true);
    // Every transaction's parts are numbered on, over whatever connections they came.
    for (const [at, batch] of witness.batches.entries()) {
      const before = witness.batches[at - 1];
      expect(batch.first).toBe(before?.lsn === batch.lsn ? before.first + before.changes.length : 0);
    }
    await log.close();
  });

  it("by the slot being dropped with all it kept is a gap, said once, and then the log goes on", async () => {
    const log = bench.log({ logSlotCheckMs: 600_000 });
    const witness = new Witness();
    await log.follow(witness);
    await bench.sql(`select pg_drop_replication_slot(slot_name) from pg_replication_slots
      where slot_name = 'mainstay_log_' || (select oid from pg_database where datname = current_database())`);
    await killWalsenders();
    // Which it is depends on who makes the slot anew: this connection's successor, or whoever looks after it.
    await expect.poll(() => witness.gaps).toHaveLength(1);
    await expect.poll(() => log.stats().state).toBe("following");
    await bench.sql("insert into ledger values (100000)");
    await expect.poll(() => ids(witness)).toEqual([100_000]);
    expect(witness.gaps).toHaveLength(1);
    await log.close();
  });

  it("to another database than before, as after a restore, is a gap: its places are others", async () => {
    const other = await LogBench.open();
    let url = bench.database.url;
    const log = openChangeLog({
      database: bench.db,
      connect: () => connectReplication({ connectionString: url }),
      settings: { ...defaults, logSlotCheckMs: 600_000 },
      observe: () => {},
    });
    const witness = new Witness();
    let schemaChanges = 0;
    log.onSchemaChange(() => void schemaChanges++);
    await log.follow(witness);
    url = other.database.url;
    await killWalsenders();
    await expect.poll(() => witness.gaps).toEqual(["slot-lost"]);
    // What was derived from the schema is of the other one, too.
    expect(schemaChanges).toBeGreaterThan(0);
    await other.sql("select pg_logical_emit_message(true, 'there', 'a')");
    await expect.poll(() => witness.messages.map(({ prefix }) => prefix)).toEqual(["there"]);
    await log.close();
    await other.close();
  });

  it("because of bytes that cannot be read is tried again, and then goes on without their transaction: a gap", async () => {
    const log = openChangeLog({
      database: bench.db,
      connect: async () => {
        const connection = await connectReplication({ connectionString: bench.database.url });
        // The line cuts off a row that has this in it, each time it passes.
        return {
          ...connection,
          stream: (command, onData) =>
            connection.stream(command, (content) =>
              onData(content.includes("unreadable") ? content.subarray(0, -3) : content),
            ),
        };
      },
      settings: defaults,
      observe: (one) => void bench.seen.push(one),
    });
    const witness = new Witness();
    bench.seen.length = 0;
    await log.follow(witness);
    await bench.sql("insert into ledger values (300001, 'readable')");
    await bench.sql("insert into ledger values (300002, 'unreadable')");
    // Behind it already when it is left out: nothing else is missing.
    await bench.sql("insert into ledger values (300003, 'readable')");
    await expect.poll(() => ids(witness)).toEqual([300_001, 300_003]);
    expect(witness.gaps).toEqual(["retention"]);
    await expect.poll(() => log.stats().state).toBe("following");
    const count = (wanted: string) => bench.seen.filter(({ kind }) => kind === wanted).length;
    expect([count("postgres.connection-lost"), count("postgres.reconnected"), count("warning")]).toEqual([3, 3, 1]);
    await log.close();
  });

  it("silently, without a word of its end, is noticed", async () => {
    const target = new URL(bench.database.url);
    const wire = await openWire(Number(target.port));
    const throughWire = new URL(target);
    throughWire.port = String(wire.port);
    const log = openChangeLog({
      database: bench.db,
      connect: () => connectReplication({ connectionString: throughWire.href }),
      settings: { ...defaults, logSilenceMs: 600, logHeartbeatMs: 100 },
      observe: () => {},
    });
    const witness = new Witness();
    await log.follow(witness);
    await bench.sql("insert into ledger values (200001)");
    await expect.poll(() => ids(witness)).toEqual([200_001]);
    wire.freeze();
    await bench.sql("insert into ledger values (200002)");
    await expect.poll(() => ids(witness)).toEqual([200_001, 200_002]);
    expect(witness.gaps).toEqual([]);
    await log.close();
    wire.close();
  });

  it("because of a row that PostgreSQL cannot print is not tried again: its transaction alone is left out", async () => {
    // Of its own: whoever begins to read within the retention comes by that row again.
    const bench = await LogBench.open();
    await bench.sql(
      "create table ledger (id int primary key, terms jsonb); alter publication supabase_realtime add table ledger",
    );
    const log = bench.log();
    const witness = new Witness();
    await log.follow(witness);
    // A few kilobytes as they are stored, and more than a gigabyte as text.
    await bench.sql(`insert into ledger (id, terms)
      select 400001, jsonb_agg('1e131071'::jsonb) from generate_series(1, 9000)`);
    await bench.sql("insert into ledger values (400002)");
    await expect.poll(() => ids(witness)).toEqual([400_002]);
    expect(witness.gaps).toEqual(["retention"]);
    await log.close();
    await bench.close();
  });
});

describe("R13: PostgreSQL itself", () => {
  let dir: string;
  let postgres: EmbeddedPostgres;
  let log: ChangeLog;
  let close: () => Promise<void>;
  const witness = new Witness();

  const start = () =>
    openEmbeddedPostgres({
      dataDir: join(dir, "postgres"),
      observe: () => {},
      settings: { postgresMaxConnections: 30, postgresSharedBuffersBytes: 16 * 1024 * 1024 },
    });
  const run = async (text: string) => {
    const client = new pg.Client({ connectionString: postgres.url });
    client.on("error", () => {});
    await client.connect();
    try {
      return (await client.query(text)).rows;
    } finally {
      await client.end();
    }
  };

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "log-"));
    postgres = await start();
    await run(schemaForTests);
    await run("create table ledger (id int primary key); alter publication supabase_realtime add table ledger");
    const database = openDatabase({ connectionString: postgres.url });
    log = openChangeLog({
      database,
      // Where it is after a restart is not where it was before.
      connect: () => connectReplication({ connectionString: postgres.url }),
      settings: defaults,
      observe: () => {},
    });
    close = async () => {
      await log.close();
      await database.close();
    };
    await log.follow(witness);
  });
  afterAll(async () => {
    await close();
    await postgres.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it("stopped and started again: what was written meanwhile is told, and nothing twice", async () => {
    await run("insert into ledger select generate_series(1, 10)");
    await expect.poll(() => witness.changes.length).toBe(10);
    await postgres.stop();
    postgres = await start();
    await run("insert into ledger select generate_series(11, 20)");
    await expect.poll(() => witness.changes.length).toBe(20);
  });

  it("killed: what was acknowledged is told, and nothing twice", async () => {
    await run("insert into ledger select generate_series(21, 30)");
    const killed = postgres.pid();
    process.kill(killed, "SIGKILL");
    await expect.poll(() => postgres.pid()).not.toBe(killed);
    // Our supervisor starts it again.
    await expect
      .poll(
        async () => {
          try {
            return await run("select count(*)::int as count from ledger");
          } catch {
            return null;
          }
        },
        { timeout: 30_000, interval: 100 },
      )
      .toEqual([{ count: 30 }]);
    await run("insert into ledger select generate_series(31, 40)");
    await expect.poll(() => witness.changes.length).toBe(40);
    expect(ids(witness)).toEqual(upTo(40));
    expect(witness.gaps).toEqual([]);
  });
});

/** A line to PostgreSQL that can fall silent in both directions; later ones work. */
async function openWire(to: number): Promise<{ readonly port: number; freeze(): void; close(): void }> {
  const open = new Set<Socket>();
  const frozen = new Set<Socket>();
  const server: Server = createServer((near) => {
    const far = connectSocket(to, "127.0.0.1");
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on("error", () => {});
    }
    near.on("data", (bytes) => void (frozen.has(near) || far.write(bytes)));
    far.on("data", (bytes) => void (frozen.has(near) || near.write(bytes)));
    far.on("close", () => frozen.has(near) || near.destroy());
    near.on("close", () => frozen.has(near) || far.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    freeze: () => {
      for (const socket of open) frozen.add(socket);
    },
    close: () => {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}
