import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectReplication } from "../postgres/replication.ts";
import { openChangeLog } from "./log.ts";
import { defaults, LogBench, Witness } from "./testing.ts";

let bench: LogBench;
beforeAll(async () => {
  bench = await LogBench.open();
});
afterAll(() => bench.close());

const slots = async () =>
  bench.sql(`select slot_name as name, temporary, active, (pg_current_wal_insert_lsn() - confirmed_flush_lsn)::float8 as behind,
    (pg_current_wal_insert_lsn() - restart_lsn)::float8 as kept
    from pg_replication_slots where database = current_database() order by temporary`);

/** Those of a connection go with it, a moment after. */
async function dropAll(): Promise<void> {
  await expect.poll(async () => (await slots()).filter(({ temporary }) => temporary)).toEqual([]);
  await bench.sql(
    "select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database()",
  );
}

describe("slots", () => {
  it("are not there until somebody follows, and a connection's own goes with it", async () => {
    const log = bench.log();
    expect(log.stats()).toMatchObject({ state: "idle", problem: null, ring: { bytes: 0, entries: 0, oldest: null } });
    expect(log.position()).toBe(0n);
    expect(log.between(0n, 1n)).toBeNull();
    await log.emit("nobody", Buffer.from("hears"));
    expect(await slots()).toEqual([]);
    await log.follow(new Witness());
    expect((await slots()).map(({ temporary, active }) => [temporary, active])).toEqual([
      [false, false],
      [true, true],
    ]);
    await log.close();
    await expect
      .poll(async () => (await slots()).map(({ name }) => name))
      .toEqual([expect.stringMatching(/^mainstay_log_\d+$/)]);
  });

  it("several nodes that start together share one, and come up all", async () => {
    await dropAll();
    const logs = Array.from({ length: 4 }, () => bench.log());
    await Promise.all(logs.map((log) => log.follow(new Witness())));
    expect((await slots()).map(({ temporary }) => temporary)).toEqual([false, true, true, true, true]);
    await Promise.all(logs.map((log) => log.close()));
  });

  it("wait, with a word of why, until transactions that were running are over", async () => {
    await dropAll();
    await bench.sql("create table busy (id int)");
    const running = await bench.db.connect();
    await running.query("begin; insert into busy values (1)");
    const log = bench.log({ logHeartbeatMs: 50 });
    bench.seen.length = 0;
    const following = log.follow(new Witness());
    await expect
      .poll(() => bench.seen)
      .toEqual([{ kind: "warning", area: "log", message: expect.stringContaining("transactions that are running") }]);
    expect(log.stats().state).toBe("connecting");
    await running.query("commit");
    await running.end();
    await following;
    bench.seen.length = 0;
    await log.close();
  });

  it("R14: keep no more than is allowed, though the retention would have it", async () => {
    await bench.sql(
      "create table heavy (id serial primary key, body text); alter publication supabase_realtime add table heavy",
    );
    const bound = 16 * 1024 * 1024;
    const log = bench.log({ logRetainedBytes: bound, logSlotCheckMs: 50, logRingBytes: 1024 * 1024 });
    const witness = new Witness();
    witness.onEntry = () => {};
    await log.follow(witness);
    let written = 0;
    for (let n = 0; n < 12; n++) {
      await bench.sql(
        `insert into heavy (body) select string_agg(md5(random()::text), '') from generate_series(1, 200000) g group by g % 800`,
      );
      written += 8 * 1024 * 1024;
      // PostgreSQL notes by itself every 15 s what is running, which is from where it could go on.
      await bench.sql("checkpoint");
    }
    expect(written).toBeGreaterThan(4 * bound);
    await expect.poll(async () => (await slots())[0]?.kept).toBeLessThan(bound);
    await expect.poll(() => log.stats().retainedBytes).toBeLessThan(bound);
    // Within the bound it is kept: whoever comes back now finds what there is.
    expect((await slots())[0]?.behind).toBeGreaterThan(0);
    expect(witness.gaps).toEqual([]);
    expect(bench.seen).toEqual([]);
    await log.close();
  });

  it("keep what is within the retention, and not what is older", async () => {
    const clock = { ms: 0 };
    const log = bench.log({ logSlotCheckMs: 50, logRetentionMs: 300_000 }, () => clock.ms);
    await log.follow(new Witness());
    await bench.sql(
      "create table aging (id serial primary key); alter publication supabase_realtime add table aging; insert into aging default values",
    );
    const behind = async () => Number((await slots())[0]?.behind);
    // Some looks pass, then and later.
    await new Promise((resolve) => setTimeout(resolve, 300));
    clock.ms = 200_000;
    await new Promise((resolve) => setTimeout(resolve, 300));
    const before = await behind();
    expect(before).toBeGreaterThan(500);
    clock.ms = 400_000;
    await expect.poll(behind).toBeLessThan(before);
    await log.close();
  });

  it("that PostgreSQL has given up, or somebody has dropped, are made anew while they are not missed yet", async () => {
    const log = bench.log({ logSlotCheckMs: 50 });
    const witness = new Witness();
    await log.follow(witness);
    const [durable] = await slots();
    await bench.sql(`select pg_drop_replication_slot('${durable?.name}')`);
    await expect.poll(async () => (await slots())[0]?.name).toBe(durable?.name);
    expect(witness.gaps).toEqual([]);
    expect(log.stats().state).toBe("following");
    await log.close();
  });

  it("that nobody has followed for a day are dropped by a node that runs", async () => {
    const idle = bench.log({ logSlotCheckMs: 50, logIdleDropMs: 60_000 });
    const other = bench.log({ logSlotCheckMs: 50 });
    await other.follow(new Witness());
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await slots()).toHaveLength(2);
    await other.close();
    await bench.sql("update mainstay.log_slots set followed_at = now() - interval '2 minutes'");
    const late = bench.log({ logSlotCheckMs: 50, logIdleDropMs: 60_000 });
    await expect.poll(slots).toEqual([]);
    // Whoever comes then begins anew.
    await late.follow(new Witness());
    expect(await slots()).toHaveLength(2);
    await Promise.all([idle, late].map((log) => log.close()));
  });
});

describe("a database that cannot be followed", () => {
  it("is said with what to do, again each time it is tried, until it can be", async () => {
    await bench.sql(
      `create role watcher login password 'w'; grant all on schema public, mainstay to watcher; grant all on mainstay.log_slots to watcher`,
    );
    const url = new URL(bench.database.url);
    [url.username, url.password] = ["watcher", "w"];
    const log = openChangeLog({
      database: bench.db,
      connect: () => connectReplication({ connectionString: url.href }),
      settings: defaults,
      observe: () => {},
    });
    const refused = await log.follow(new Witness()).catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: "changes/unavailable",
      status: 503,
      hint: expect.stringContaining("replication"),
    });
    expect(log.stats()).toMatchObject({ state: "unavailable", problem: expect.stringContaining("cannot be followed") });
    await bench.sql("alter role watcher replication");
    const witness = new Witness();
    await log.follow(witness);
    expect(log.stats()).toMatchObject({ state: "following", problem: null });
    // With a reader it is tried until it works.
    await bench.sql("alter role watcher noreplication");
    await bench.sql(
      "select pg_terminate_backend(active_pid) from pg_replication_slots where active and database = current_database()",
    );
    await expect.poll(() => log.stats().state).toBe("unavailable");
    await bench.sql("alter role watcher replication");
    await expect.poll(() => log.stats().state).toBe("following");
    await log.emit("after", Buffer.from("all"), { isUrgent: true });
    await expect.poll(() => witness.messages.length).toBe(1);
    expect(witness.gaps).toEqual([]);
    await log.close();
    await bench.sql("drop owned by watcher; drop role watcher");
  });

  it("because PostgreSQL is away is waited for, and given up with the log", async () => {
    const log = openChangeLog({
      database: bench.db,
      connect: () => connectReplication({ host: "127.0.0.1", port: 1, user: "nobody", database: "none" }),
      settings: defaults,
      observe: () => {},
    });
    const following = log.follow(new Witness()).catch((error: unknown) => error);
    await expect
      .poll(() => log.stats())
      .toMatchObject({ state: "connecting", problem: expect.stringContaining("ECONNREFUSED") });
    await log.close();
    expect(await following).toMatchObject({ code: "changes/closed" });
  });
});
