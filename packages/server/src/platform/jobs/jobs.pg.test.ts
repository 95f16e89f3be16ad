import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "pg-sql2";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FinalJobError, type Json, type NewJob, NotNowError, RetryLaterError, RunAborted } from "./index.ts";
import { JobsBench, type TestNode, until } from "./testing.ts";

let bench: JobsBench;
beforeEach(async () => {
  bench = await JobsBench.open();
});
afterEach(() => bench.close());

const put = async ({ jobs, db }: TestNode, name: string, payload: Json = {}, more: Partial<NewJob> = {}) =>
  (await jobs.enqueue(db, [{ name, payload, ...more }]))[0]!;

/** Writes down what it is given. */
function listen(node: TestNode, name = "hello"): Json[] {
  const got: Json[] = [];
  node.jobs.handle({
    name,
    async run({ payload }) {
      got.push(payload);
      return { kind: "done" };
    },
  });
  return got;
}

const isGone = async () => (await bench.count()) === 0;
const isOver = async () => (await bench.count("state < 4")) === 0;

describe("putting in", () => {
  it("runs what is committed and nothing of what was rolled back, and leaves nothing of it but a count", async () => {
    const node = bench.node({ jobsPollMs: 10_000 });
    const got = listen(node);
    await node.jobs.start();
    await node.db.transaction(async (tx) => {
      await node.jobs.enqueue(tx, [{ name: "hello", payload: 1 }]);
      await sleep(300);
      expect(got).toEqual([]);
      await node.jobs.enqueue(tx, [{ name: "hello", payload: 2 }]);
    });
    await expect(
      node.db.transaction(async (tx) => {
        await node.jobs.enqueue(tx, [{ name: "hello", payload: 3 }]);
        throw new Error("changed my mind");
      }),
    ).rejects.toThrow("changed my mind");
    await until(() => got.length === 2);
    await until(isGone);
    expect(got).toEqual([1, 2]);
    expect(await bench.sql("select name, sum(done)::int as done from mainstay.job_counts group by name")).toEqual([
      { name: "hello", done: 2 },
    ]);
  });

  it("runs what this node has committed itself without being told, and not before", async () => {
    const node = bench.node({ jobsPollMs: 60_000 });
    const got = listen(node);
    await node.jobs.start();
    await bench.sql("drop trigger wake on mainstay.jobs");
    // Asleep, and past its second look.
    await until(async () => (await bench.sql("select from mainstay.job_nodes where is_asleep")).length === 1);
    await sleep(300);
    await node.db.transaction(async (tx) => {
      await node.jobs.enqueue(tx, [{ name: "hello", payload: 1 }]);
      expect(got).toEqual([]);
    });
    await until(() => got.length === 1);
    await put(node, "hello", 2);
    await until(() => got.length === 2);
  });

  it("makes one job of a name and key, whoever comes first, and answers in order", async () => {
    const node = bench.node();
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        node.jobs.enqueue(node.db, [
          { name: "a", payload: 1, key: "k" },
          { name: "b", payload: 2 },
          { name: "a", payload: 3, key: "k" },
          { name: "b", payload: 4, key: "k" },
        ]),
      ),
    );
    const [first] = answers.flat().filter(({ isNew }, at) => isNew && at % 4 === 0);
    for (const [a, b, again, other] of answers) {
      expect([a!.id, again!.id]).toEqual([first!.id, first!.id]);
      expect([b!.isNew, again!.isNew]).toEqual([true, false]);
      expect(other!.id).not.toBe(first!.id);
    }
    expect(answers.flat().filter(({ isNew }) => isNew)).toHaveLength(10);
    expect(await bench.count()).toBe(10);
    // Of those put in together; what others put in at the same moment may have looked at the clock before or after.
    for (const answer of answers) {
      const ids = answer.flatMap(({ id, isNew }) => (isNew ? [id] : []));
      expect(ids).toEqual(ids.toSorted());
      expect(ids.every((id) => /^.{14}7.{4}[89ab]/.test(id))).toBe(true);
    }
  });

  it("refuses what is no job, in its own words, and puts nothing in", async () => {
    const node = bench.node({ jobsPayloadMaxBytes: 1_024, jobsEnqueueMax: 3 });
    const refused = (job: object) =>
      node.jobs.enqueue(node.db, [
        { name: "ok", payload: 1 },
        { name: "x", payload: 1, ...job },
      ]);
    for (const job of [
      { name: "" },
      { name: "x".repeat(201) },
      { name: "a\0b" },
      { key: "x".repeat(501) },
      { priority: 40_000 },
      { priority: 1.5 },
      { maxAttempts: 0 },
      { delayMs: Number.NaN },
      { payload: "\0" },
      { payload: "\ud800" },
      { payload: undefined },
    ]) {
      await expect(refused(job), JSON.stringify(job)).rejects.toMatchObject({ code: "jobs/invalid" });
    }
    await expect(refused({ payload: "x".repeat(1_100) })).rejects.toMatchObject({ code: "jobs/too-large" });
    const four = Array.from({ length: 4 }, () => ({ name: "x", payload: 1 }));
    await expect(node.jobs.enqueue(node.db, four)).rejects.toMatchObject({ code: "jobs/too-many" });
    // What only looks like an escape is none.
    await refused({ payload: "\\u0000 and 😀" });
    expect(await bench.count()).toBe(2);
  });

  it("can be done from SQL by who may, and by nobody else", async () => {
    const node = bench.node();
    const got = listen(node);
    await node.jobs.start();
    const asRole = (role: string) =>
      bench.sql(`begin; set local role ${role}; select mainstay.enqueue('hello', '{"n": 1}'); commit`);
    await asRole("service_role");
    await asRole("postgres");
    for (const role of ["anon", "authenticated"]) {
      await expect(asRole(role)).rejects.toThrow("permission denied for function enqueue");
      await bench.sql("rollback");
    }
    await bench.sql(
      `select mainstay.enqueue('hello', run_at => now() + interval '1 day', key => 'k', priority => 3, max_attempts => 2)`,
    );
    await until(async () => got.length === 2 && (await node.jobs.list({})).length === 1);
    expect(await node.jobs.list({})).toMatchObject([
      { name: "hello", key: "k", state: "ready", maxAttempts: 2, payload: {} },
    ]);
  });
});

describe("running", () => {
  it("goes by priority first and by order then", async () => {
    const node = bench.node({ jobsConcurrency: 1 });
    for (const [n, priority] of [5, -5, 0, 5, -5, 0].entries()) await put(node, "hello", n, { priority });
    const got = listen(node);
    await node.jobs.start();
    await until(() => got.length === 6);
    expect(got).toEqual([1, 4, 2, 5, 0, 3]);
  });

  it("waits for its time", async () => {
    const node = bench.node({ jobsPollMs: 10_000 });
    const early: Json[] = [];
    const got: Json[] = [];
    node.jobs.handle({
      name: "hello",
      async run({ id, payload }) {
        // By the database's clock, which may not be this machine's.
        const [row] = await node.db.query<{ early: boolean }>(sql`
          select run_at > clock_timestamp() as early from mainstay.jobs where id = ${sql.value(id)}`);
        if (row!.early) early.push(payload);
        got.push(payload);
        return { kind: "done" };
      },
    });
    await node.jobs.start();
    await sleep(300);
    await put(node, "hello", "later", { delayMs: 1_200 });
    await put(node, "hello", "soon", { runAtMs: Date.now() + 600 });
    await put(node, "hello", "now");
    await until(() => got.length === 3);
    expect(got).toEqual(["now", "soon", "later"]);
    expect(early).toEqual([]);
  });

  it("tries again what failed, waits as long as it is asked to, and keeps what is dead to be run again", async () => {
    const node = bench.node({ jobsMaxAttempts: 3 });
    const tries: { name: string; attempt: number; atMs: number }[] = [];
    const note = (name: string, attempt: number) => tries.push({ name, attempt, atMs: performance.now() });
    let isFixed = false;
    node.jobs.handle({
      name: "fails",
      async run({ name, attempt }) {
        note(name, attempt);
        if (isFixed) return { kind: "done", result: "at last" };
        throw new Error(`no luck, token=abc123\0`);
      },
    });
    node.jobs.handle({
      name: "final",
      async run({ name, attempt }) {
        note(name, attempt);
        throw new FinalJobError("never");
      },
    });
    node.jobs.handle({
      name: "later",
      async run({ name, attempt }) {
        note(name, attempt);
        if (attempt === 1) throw new RetryLaterError("busy", 400);
        return { kind: "done" };
      },
    });
    await node.jobs.start();
    const { id } = await put(node, "fails");
    await put(node, "final");
    await put(node, "later");
    const of = (name: string) => tries.filter((one) => one.name === name);
    await until(async () => (await bench.count("state = 5")) === 2 && of("later").length === 2);
    expect(of("fails").map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    expect(of("final")).toHaveLength(1);
    expect(of("later")[1]!.atMs - of("later")[0]!.atMs).toBeGreaterThanOrEqual(399);
    expect(await node.jobs.get(id)).toMatchObject({ state: "dead", attempts: 3, maxAttempts: 3 });
    expect((await node.jobs.get(id))!.lastError).not.toContain("abc123");
    expect(node.seen.filter(({ kind }) => kind === "job.failed")).toHaveLength(3);
    expect(node.seen.filter(({ kind }) => kind === "job.dead")).toHaveLength(2);
    isFixed = true;
    expect(await node.jobs.retry(id)).toBe(true);
    await until(async () => (await node.jobs.get(id))?.state === "done");
    expect(await node.jobs.get(id)).toMatchObject({ result: "at last", attempts: 1 });
    expect(await node.jobs.retry(id)).toBe(false);
  });

  it("counts no attempt while its handler has no room", async () => {
    const node = bench.node();
    const attempts: number[] = [];
    node.jobs.handle({
      name: "crowded",
      async run({ attempt }) {
        attempts.push(attempt);
        if (attempts.length <= 3) throw new NotNowError("no room", 20);
        return { kind: "done", result: "after all" };
      },
    });
    await node.jobs.start();
    const { id } = await put(node, "crowded", { maxAttempts: 1 });
    await until(async () => (await node.jobs.get(id))?.state === "done");
    expect(attempts).toEqual([1, 1, 1, 1]);
    expect(node.seen.filter(({ kind }) => kind === "job.failed")).toEqual([]);
  });

  it("ends a job that was cancelled, before it runs and while it does, on whatever node", async () => {
    const node = bench.node();
    const other = bench.node();
    let reason: unknown;
    let hasBegun = false;
    node.jobs.handle({
      name: "long",
      run: (_job, { signal }) =>
        new Promise((_resolve, reject) => {
          hasBegun = true;
          signal.addEventListener("abort", () => {
            reason = signal.reason;
            reject(signal.reason);
          });
        }),
    });
    await node.jobs.start();
    const { id } = await put(other, "long");
    const waiting = await put(other, "nobody");
    await until(() => hasBegun);
    expect(await node.jobs.get(id)).toMatchObject({ state: "running", attempts: 1 });
    expect(await other.jobs.cancel(id)).toBe(true);
    expect(await other.jobs.cancel(waiting.id)).toBe(true);
    expect(await other.jobs.cancel(id)).toBe(false);
    expect(await other.jobs.cancel("no-id")).toBe(false);
    await until(() => reason instanceof RunAborted && reason.reason === "cancelled");
    await sleep(100);
    expect(await node.jobs.get(id)).toMatchObject({ state: "cancelled" });
    expect(await node.jobs.list({ state: "cancelled" })).toHaveLength(2);
    expect(node.seen).toEqual([]);
  });

  it("frees the place of one that goes on beyond its time, and takes nothing it says then", async () => {
    const node = bench.node({ jobsConcurrency: 1, jobsMaxAttempts: 1 });
    const late = Promise.withResolvers<{ kind: "done"; result: string }>();
    node.jobs.handle({ name: "deaf", timeoutMs: 50, run: () => late.promise });
    const got = listen(node);
    await node.jobs.start();
    const { id } = await put(node, "deaf");
    await until(async () => (await node.jobs.get(id))?.state === "running");
    await put(node, "hello", "next");
    await until(() => got.length === 1);
    late.resolve({ kind: "done", result: "too late" });
    await sleep(100);
    expect(await node.jobs.get(id)).toMatchObject({
      state: "dead",
      result: null,
      lastError: "The job took longer than it may.",
    });
  });

  it("keeps of what is done what its handler says", async () => {
    const node = bench.node();
    const kept: [boolean | undefined, string][] = [
      [undefined, "plain"],
      [true, "all"],
      [false, "none"],
    ];
    for (const [keepsDone, name] of kept) {
      const run = async ({ payload, attempt }: { payload: Json; attempt: number }) => {
        if (payload === "fails" && attempt === 1) throw new Error("the first time");
        return { kind: "done" as const, ...(payload === "result" ? { result: 1 } : {}) };
      };
      node.jobs.handle({ name, run, ...(keepsDone === undefined ? {} : { keepsDone }) });
      for (const payload of ["nothing", "result", "fails"]) await put(node, name, payload);
      await put(node, name, "key", { key: "k" });
    }
    await node.jobs.start();
    await until(isOver);
    expect(
      await bench.sql(
        "select name, array_agg(payload order by place) as kept from mainstay.jobs group by 1 order by 1",
      ),
    ).toEqual([
      { name: "all", kept: ["nothing", "result", "fails", "key"] },
      { name: "none", kept: ["fails"] },
      { name: "plain", kept: ["result", "fails", "key"] },
    ]);
  });

  it("tells of progress and keeps a result", async () => {
    const node = bench.node();
    const half = Promise.withResolvers<void>();
    node.jobs.handle({
      name: "slow",
      async run(_job, run) {
        await run.progress(0.5);
        await half.promise;
        return { kind: "done", result: { rows: 3 } };
      },
    });
    await node.jobs.start();
    const { id } = await put(node, "slow");
    await until(async () => (await node.jobs.get(id))?.progress === 0.5);
    half.resolve();
    await until(async () => (await node.jobs.get(id))?.state === "done");
    expect(await node.jobs.get(id)).toMatchObject({ result: { rows: 3 }, attempts: 1, lastError: null });
  });

  it("gives several to a batch handler, and tries again those that failed only", async () => {
    const node = bench.node();
    const batches: { payload: Json; attempt: number }[][] = [];
    node.jobs.handle({
      name: "many",
      size: 4,
      concurrency: 1,
      async runBatch(jobs) {
        batches.push(jobs.map(({ payload, attempt }) => ({ payload, attempt })));
        return new Map(
          jobs.flatMap(({ payload, attempt }, at) => (payload === 2 && attempt === 1 ? [[at, new Error("no")]] : [])),
        );
      },
    });
    await node.jobs.enqueue(
      node.db,
      Array.from({ length: 10 }, (_, n) => ({ name: "many", payload: n })),
    );
    await node.jobs.start();
    await until(isOver);
    expect(
      batches
        .flat()
        .map(({ payload }) => payload)
        .sort(),
    ).toEqual([0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(batches[0]).toHaveLength(4);
    expect(batches.flat().filter(({ attempt }) => attempt === 2)).toEqual([{ payload: 2, attempt: 2 }]);
  });

  it("X09 a handler that throws at once, and one that returns nonsense, harm nobody else", async () => {
    const node = bench.node({ jobsMaxAttempts: 2 });
    node.jobs.handle({
      name: "throws",
      run() {
        throw new TypeError("at once");
      },
    });
    node.jobs.handle({ name: "nonsense", run: async () => ({ kind: "done", result: "a\0b" }) });
    node.jobs.handle({ name: "liar", maxAttempts: 2, run: async () => ({ kind: "settled" }) });
    const got = listen(node);
    await node.jobs.start();
    for (const name of ["throws", "nonsense", "liar", "hello"]) await put(node, name);
    await until(async () => (await bench.count("state = 5")) === 2 && got.length === 1);
    expect(await node.jobs.list({ name: "nonsense" })).toMatchObject([{ state: "dead", attempts: 1 }]);
    await until(async () => ((await node.jobs.list({ name: "liar" }))[0]?.attempts ?? 0) >= 2);
  });

  it("X11 ends with its effects in one transaction, or not at all", async () => {
    const node = bench.node();
    await bench.sql("create table effects (n int primary key)");
    let fails = 1;
    node.jobs.handle({
      name: "effect",
      async run({ payload }, run) {
        await node.db.transaction(async (tx) => {
          await tx.query(sql`insert into effects values (${sql.value(payload as number)})`);
          await run.settle(tx);
          if (fails-- > 0) throw new Error("after the end");
        });
        return { kind: "settled" };
      },
    });
    await node.jobs.start();
    await put(node, "effect", 1);
    await until(isOver);
    expect(await bench.sql("select n from effects")).toEqual([{ n: 1 }]);
    expect(fails).toBe(-1);
  });
});
