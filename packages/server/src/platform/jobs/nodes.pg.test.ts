import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "pg-sql2";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Json, RunAborted } from "./index.ts";
import { JobsBench, type TestNode, until } from "./testing.ts";

let bench: JobsBench;
beforeEach(async () => {
  bench = await JobsBench.open();
});
afterEach(() => bench.close());

const put = (node: TestNode, name: string, payloads: readonly Json[], more: object = {}) =>
  node.jobs.enqueue(
    node.db,
    payloads.map((payload) => ({ name, payload, ...more })),
  );

const isOver = async () => (await bench.count("state < 4")) === 0;

/** Ends every connection to the database but the test's own. */
const cutAll = () =>
  bench.sql(
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
  );

describe("leases", () => {
  it("X11 X18 what a node has that stands still is run by another, and the first one's end finds nothing", async () => {
    const first = bench.node({ jobsLeaseMs: 600 });
    const ends = Promise.withResolvers<void>();
    const lost = Promise.withResolvers<unknown>();
    let settled: unknown;
    first.jobs.handle({
      name: "work",
      async run(_job, run) {
        run.signal.addEventListener("abort", () => lost.resolve(run.signal.reason));
        await ends.promise;
        settled = await run.settle(first.db).catch((error: unknown) => error);
        return { kind: "settled" };
      },
    });
    await first.jobs.start();
    await put(first, "work", [1]);
    await until(async () => (await bench.count("claimed_by is not null")) === 1);
    // As if its process stood still, or PostgreSQL could not be reached: it cannot say that it lives.
    await bench.sql("begin; lock table mainstay.job_nodes in share row exclusive mode");
    expect(await lost.promise).toMatchObject({ reason: "lost" });
    await bench.sql("commit");
    const second = bench.node();
    const got: number[] = [];
    second.jobs.handle({
      name: "work",
      async run({ claim }) {
        got.push(claim);
        return { kind: "done" };
      },
    });
    await first.stop();
    await second.jobs.start();
    await until(() => got.length === 1);
    ends.resolve();
    await until(() => settled !== undefined);
    expect(settled).toBeInstanceOf(Error);
    expect(got[0]).toBeGreaterThan(1);
    await until(isOver);
  });

  it("a node that was called gone joins anew and goes on", async () => {
    const node = bench.node();
    let runs = 0;
    node.jobs.handle({
      name: "work",
      async run(_job, { signal }) {
        if (runs++ === 0)
          await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
        return { kind: "done" };
      },
    });
    await node.jobs.start();
    await put(node, "work", [1]);
    await until(() => runs === 1);
    await bench.sql("update mainstay.job_nodes set is_gone = true");
    await until(isOver);
    expect(runs).toBe(2);
    expect(node.seen).toContainEqual({ kind: "job.lost", count: 1 });
  });

  it("X11 a job that kills whoever has it is dead after some nodes", async () => {
    const node = bench.node({ jobsMaxLosses: 3 });
    let runs = 0;
    node.jobs.handle({
      name: "bomb",
      async run() {
        runs += 1;
        return { kind: "done" };
      },
    });
    const [job] = await put(node, "bomb", [1]);
    await bench.sql("update mainstay.jobs set losses = 4");
    await node.jobs.start();
    await until(async () => (await node.jobs.get(job!.id))?.state === "dead");
    expect(runs).toBe(0);
    expect(await node.jobs.retry(job!.id)).toBe(true);
    await until(() => runs === 1);
  });

  it("gives back what it has not begun or not finished when it stops, without an attempt", async () => {
    const first = bench.node({ jobsConcurrency: 1, jobsStopMs: 50 });
    const reasons: unknown[] = [];
    first.jobs.handle({
      name: "work",
      run: (_job, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => {
            reasons.push(signal.reason);
            reject(signal.reason);
          });
        }),
    });
    await first.jobs.start();
    await put(first, "work", [1, 2, 3]);
    await until(async () => (await bench.count("claimed_by is not null")) === 1);
    await first.stop();
    expect(reasons[0]).toBeInstanceOf(RunAborted);
    expect(reasons[0]).toMatchObject({ reason: "stopping" });
    expect(await bench.count("state = 0 and claimed_by is null and failures = 0 and losses = 0")).toBe(3);
    expect(await bench.sql("select from mainstay.job_nodes")).toEqual([]);
  });

  it("lets what runs finish when it stops, and stops taking", async () => {
    const node = bench.node({ jobsConcurrency: 2, jobsStopMs: 5_000 });
    const done: Json[] = [];
    node.jobs.handle({
      name: "work",
      async run({ payload }) {
        await sleep(300);
        done.push(payload);
        return { kind: "done" };
      },
    });
    await node.jobs.start();
    await put(node, "work", [1, 2, 3, 4, 5]);
    await until(async () => (await bench.count("claimed_by is not null")) >= 2);
    await node.stop();
    expect(done).toEqual([1, 2]);
    expect(await bench.count("claimed_by is null")).toBe(3);
  });
});

describe("without PostgreSQL for a while", () => {
  it("X09 goes on when it is back, and runs nothing twice in one claim", async () => {
    const node = bench.node({ jobsLeaseMs: 5_000 });
    const claims = new Map<string, number>();
    const errors: unknown[] = [];
    const onError = (error: unknown) => errors.push(error);
    process.on("unhandledRejection", onError);
    node.jobs.handle({
      name: "work",
      async run({ id, claim }) {
        const which = `${id}/${claim}`;
        claims.set(which, (claims.get(which) ?? 0) + 1);
        await sleep(Math.random() * 10);
        return { kind: "done" };
      },
    });
    await node.jobs.start();
    for (let times = 0; times < 8; times++) {
      await node.db.query(sql`select mainstay.enqueue('work') from generate_series(1, 100)`).catch(() => {});
      await sleep(Math.random() * 100);
      await cutAll();
    }
    await until(isOver, 20_000);
    process.off("unhandledRejection", onError);
    expect(errors).toEqual([]);
    expect([...claims.values()].filter((times) => times > 1)).toEqual([]);
  });
});

describe("queues", () => {
  it("keeps a limit over all nodes, and to a pause", async () => {
    const nodes = [bench.node({ jobsQueues: { mail: { concurrency: 3 } } }), bench.node()];
    let [running, most, done] = [0, 0, 0];
    for (const node of nodes) {
      node.jobs.handle({
        name: "work",
        async run({ queue }) {
          if (queue !== "mail") return { kind: "done" };
          most = Math.max(most, ++running);
          await sleep(5);
          running -= 1;
          done += 1;
          return { kind: "done" };
        },
      });
      await node.jobs.start();
    }
    await put(
      nodes[0]!,
      "work",
      Array.from({ length: 60 }, (_, n) => n),
      { queue: "mail" },
    );
    await put(nodes[0]!, "work", [1, 2, 3]);
    await until(isOver);
    expect([most, done]).toEqual([3, 60]);
    await bench.sql("update mainstay.job_queues set is_paused = true");
    await put(nodes[0]!, "work", [1, 2], { queue: "mail" });
    await put(nodes[0]!, "work", [1, 2], { queue: "other" });
    await until(async () => (await bench.count()) === 2);
    await sleep(500);
    expect(done).toBe(60);
    await bench.sql("update mainstay.job_queues set is_paused = false");
    await until(isOver);
    expect(done).toBe(62);
  });
});

describe("order keys", () => {
  it("run one after another in the order they were put in, also while the first of them is tried again", async () => {
    const nodes = [bench.node(), bench.node()];
    const spans: { key: string; n: number }[] = [];
    const running = new Set<string>();
    let overlaps = 0;
    for (const node of nodes) {
      node.jobs.handle({
        name: "ordered",
        async run({ payload, attempt }) {
          const { key, n } = payload as { key: string; n: number };
          if (running.has(key)) overlaps += 1;
          running.add(key);
          await sleep(Math.random() * 5);
          running.delete(key);
          if (n % 7 === 3 && attempt === 1) throw new Error("not yet");
          spans.push({ key, n });
          return { kind: "done" };
        },
      });
      await node.jobs.start();
    }
    const keys = ["a", "b", "c"];
    for (let n = 0; n < 30; n++) {
      const jobs = keys.map((key) => ({ name: "ordered", payload: { key, n }, orderKey: key }));
      await nodes[n % 2]!.jobs.enqueue(nodes[n % 2]!.db, jobs);
    }
    await until(isOver, 20_000);
    expect(overlaps).toBe(0);
    for (const key of keys) {
      expect(spans.filter((span) => span.key === key).map(({ n }) => n)).toEqual(
        Array.from({ length: 30 }, (_, n) => n),
      );
    }
  });

  it("go on behind one that is dead or cancelled, and keep the order of one that is run again", async () => {
    const node = bench.node({ jobsMaxAttempts: 1 });
    const got: Json[] = [];
    let isFixed = false;
    node.jobs.handle({
      name: "ordered",
      async run({ payload }) {
        if (payload === 1 && !isFixed) throw new Error("no");
        got.push(payload);
        return { kind: "done" };
      },
    });
    const [, , third] = await put(node, "ordered", [0, 1, 2, 3], { orderKey: "k" });
    expect(await node.jobs.cancel(third!.id)).toBe(true);
    await node.jobs.start();
    await until(isOver);
    expect(got).toEqual([0, 3]);
    isFixed = true;
    const [dead] = await node.jobs.list({ state: "dead" });
    await node.jobs.retry(dead!.id);
    await until(isOver);
    expect(got).toEqual([0, 3, 1]);
  });
});

describe("many rows", () => {
  it("100,000 jobs of names that nobody has in front cost a claim nothing, and stay to be seen", {
    timeout: 60_000,
  }, async () => {
    const node = bench.node();
    await bench.sql(`insert into mainstay.jobs (id, name, priority)
      select mainstay.job_id(n), 'unknown' || n % 1000, -1 from generate_series(1, 100000) n`);
    let done = 0;
    node.jobs.handle({
      name: "work",
      async run() {
        done += 1;
        return { kind: "done" };
      },
    });
    await node.jobs.start();
    await put(node, "work", [1, 2, 3]);
    await until(() => done === 3);
    // No statement of a turn has read the table from end to end, or more rows than it wanted.
    await bench.sql("select pg_stat_clear_snapshot()");
    await sleep(1_500);
    const [stats] = await bench.sql<{ seq: string }>(
      "select seq_tup_read as seq from pg_stat_user_tables where relid = 'mainstay.jobs'::regclass",
    );
    const before = Number(stats!.seq);
    await put(
      node,
      "work",
      Array.from({ length: 200 }, (_, n) => n),
    );
    await until(() => done === 203);
    await sleep(1_500);
    const [after] = await bench.sql<{ seq: string; fetched: string }>(
      "select seq_tup_read as seq from pg_stat_user_tables where relid = 'mainstay.jobs'::regclass",
    );
    expect(Number(after!.seq) - before).toBe(0);
    expect(await bench.count("name <> 'work'")).toBe(100_000);
    expect(await node.jobs.list({ name: "unknown7", limit: 3 })).toHaveLength(3);
  });
});

describe("news", () => {
  it("are told to who sleeps, with the commit, and to nobody else", async () => {
    const node = bench.node({ jobsConcurrency: 1, jobsPollMs: 10_000, jobsAheadMax: 0 });
    const ends = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let begun = 0;
    node.jobs.handle({
      name: "work",
      async run() {
        await ends[begun++]?.promise;
        return { kind: "done" };
      },
    });
    await node.jobs.start();
    await until(async () => (await bench.sql("select from mainstay.job_nodes where is_asleep")).length === 1);
    let told = 0;
    bench.admin.on("notification", () => {
      told += 1;
    });
    await bench.sql("listen mainstay_jobs");
    // Put in before it fell asleep, or while it did, and committed afterwards: it hears of it all the same.
    await node.db.transaction(async (tx) => {
      await node.jobs.enqueue(tx, [{ name: "work", payload: 1 }]);
      await node.jobs.enqueue(tx, [{ name: "work", payload: 2 }]);
      await sleep(200);
      expect(told).toBe(0);
    });
    await until(() => begun === 1);
    expect(told).toBe(1);
    // It has what it can take, and looks again when that has ended.
    await until(async () => (await bench.sql("select from mainstay.job_nodes where is_asleep")).length === 0);
    await put(node, "work", [3]);
    await bench.sql("select 1");
    await sleep(100);
    expect(told).toBe(1);
    for (const { resolve } of ends) resolve();
    await until(isOver);
    expect(begun).toBe(3);
  });
});

describe("sweeping", () => {
  it("removes what has ended long ago, sums up counts, and sets free what nobody has any more", async () => {
    const node = bench.node({ jobsSweepMs: 1_000, jobsKeepDoneMs: 60_000, jobsKeepDeadMs: 120_000 });
    await bench.sql(`insert into mainstay.jobs (id, name, state, finished_at)
      select mainstay.job_id(n), 'old', s, clock_timestamp() - make_interval(secs => 90)
      from generate_series(4, 6) s, generate_series(1, 3) n`);
    await bench.sql(
      `insert into mainstay.job_counts (name, hour, done) select 'old', date_trunc('hour', now()), 1 from generate_series(1, 50)`,
    );
    // Of a node whose row is not there any more.
    await bench.sql(`insert into mainstay.jobs (id, name, claimed_by, claim, started_at)
      values (mainstay.job_id(1), 'work', 99, 1, now() - interval '2 minutes')`);
    // Somebody has deleted the job before it.
    await bench.sql(
      `insert into mainstay.jobs (id, name, order_key, state) values (mainstay.job_id(1), 'work', 'k', 2)`,
    );
    let done = 0;
    node.jobs.handle({
      name: "work",
      async run() {
        done += 1;
        return { kind: "done" };
      },
    });
    await node.jobs.start();
    await until(() => done === 2);
    await until(async () => (await bench.count("state in (4, 6)")) === 0);
    expect(await bench.count("state = 5")).toBe(3);
    await until(async () => (await bench.sql("select from mainstay.job_counts where name = 'old'")).length === 1);
    expect(await bench.sql("select done::int from mainstay.job_counts where name = 'old'")).toEqual([{ done: 50 }]);
  });
});
