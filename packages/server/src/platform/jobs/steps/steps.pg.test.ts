import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { readSettings } from "../../../kernel/settings.ts";
import { jobsSettings } from "../settings.ts";
import { JobsBench, type JobsSettings, type TestNode } from "../testing.ts";
import type { ClaimedJob, JobOutcome, JobRun, Json } from "../types.ts";
import { createEventDelivery, createSteps, type EventDelivery, type Steps } from "./index.ts";

let bench: JobsBench;
const deliveries: EventDelivery[] = [];
beforeEach(async () => {
  bench = await JobsBench.open();
});
afterEach(async () => {
  for (const delivery of deliveries.splice(0)) await delivery.stop();
  await bench.close();
});

interface WorkflowNode extends TestNode {
  readonly steps: Steps;
}

type Workflow = (steps: BoundSteps, job: ClaimedJob, run: JobRun) => Promise<JobOutcome>;

/** What a workflow's author has, without the threads that are between. */
interface BoundSteps {
  step(name: string, work: () => Json | Promise<Json>): Promise<Json>;
  /** @throws a Pause's outcome */
  sleep(name: string, forMs: number): Promise<void>;
  event(name: string, event: string, key?: string | null, forMs?: number): Promise<Json>;
}

class Suspended extends Error {
  readonly outcome: JobOutcome;
  constructor(outcome: JobOutcome) {
    super("suspended");
    this.outcome = outcome;
  }
}

async function node(workflow: Workflow, settings: Partial<JobsSettings> = {}): Promise<WorkflowNode> {
  const testNode = bench.node({ jobsRetryFirstMs: 10, jobsRetryMaxMs: 20, ...settings });
  const all = { ...readSettings(jobsSettings, { env: {} }).values, ...settings };
  const steps = createSteps({ db: testNode.db, settings: all });
  testNode.jobs.handle({
    name: "flow",
    keepsDone: true,
    maxAttempts: 3,
    async run(job, run) {
      const pause = <T extends { isDone: boolean }>(found: T): T => {
        if (!found.isDone) throw new Suspended((found as unknown as { outcome: JobOutcome }).outcome);
        return found;
      };
      const bound: BoundSteps = {
        async step(name, work) {
          const known = await steps.find(job.id, name);
          if (known.isDone) return known.value;
          const value = await work();
          await steps.keepAlone(job, run, name, value);
          return value;
        },
        async sleep(name, forMs) {
          pause(await steps.sleep(job, run, name, { forMs }));
        },
        async event(name, event, key = null, forMs) {
          const until = forMs === undefined ? null : { forMs };
          const found = pause(await steps.awaitEvent(job, run, name, { event, key, until }));
          return (found as { value: Json }).value;
        },
      };
      try {
        return await workflow(bound, job, run);
      } catch (error) {
        if (error instanceof Suspended) return error.outcome;
        throw error;
      }
    },
  });
  const delivery = createEventDelivery({ db: testNode.db, settings: all, observe: () => {} });
  await testNode.jobs.start();
  await delivery.start();
  deliveries.push(delivery);
  return Object.assign(testNode, { steps });
}

const start = async ({ jobs, db }: TestNode, payload: Json = {}): Promise<string> =>
  (await jobs.enqueue(db, [{ name: "flow", payload }]))[0]!.id;
const eventually = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 8_000, interval: 20 });
const state = async ({ jobs }: TestNode, id: string) => (await jobs.get(id))?.state;
const result = async ({ jobs }: TestNode, id: string) => (await jobs.get(id))?.result;
const isDone = (one: TestNode, id: string) => eventually(async () => expect(await state(one, id)).toBe("done"));
const isWaiting = (one: TestNode, id: string) => eventually(async () => expect(await state(one, id)).toBe("waiting"));
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe("steps", () => {
  test("that are done are not done again, and attempts count from the last of them", async () => {
    const done: string[] = [];
    let runs = 0;
    const one = await node(async ({ step }) => {
      runs++;
      const values: Json[] = [];
      // Each fails twice before it is done: with three attempts in all it would die at the second.
      for (const name of ["a", "b", "c", "d"]) {
        values.push(
          await step(name, () => {
            if (done.filter((each) => each === name).length < 2) {
              done.push(name);
              throw new Error("not yet");
            }
            return { name, at: runs };
          }),
        );
      }
      return { kind: "done", result: values };
    });
    const id = await start(one);
    await isDone(one, id);
    expect(await result(one, id)).toEqual([
      { name: "a", at: 3 },
      { name: "b", at: 5 },
      { name: "c", at: 7 },
      { name: "d", at: 9 },
    ]);
    expect(runs).toBe(9);
  });

  test("without progress a workflow dies after its attempts", async () => {
    let runs = 0;
    const one = await node(async ({ step }) => {
      runs++;
      await step("done", () => 1);
      throw new Error("never");
    });
    const id = await start(one);
    await eventually(async () => expect(await state(one, id)).toBe("dead"));
    expect(runs).toBeGreaterThanOrEqual(3);
    expect(runs).toBeLessThanOrEqual(4);
    // What was done stays done when it is replayed.
    await one.jobs.retry(id);
    await eventually(() => expect(runs).toBeGreaterThanOrEqual(6));
    expect(await bench.sql("select name from mainstay.job_steps")).toEqual([{ name: "done" }]);
  });

  test("X11 a run that has lost its job keeps nothing", async () => {
    let run: JobRun | null = null;
    let job: ClaimedJob | null = null;
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const one = await node(async (_, claimed, claimedRun) => {
      [job, run] = [claimed, claimedRun];
      await released;
      return { kind: "done" };
    });
    const id = await start(one);
    await eventually(() => expect(run).not.toBeNull());
    await bench.sql("update mainstay.jobs set claim = claim + 1");
    const writes = [
      () => one.steps.keepAlone(job!, run!, "late", 1),
      () => one.steps.sleep(job!, run!, "nap", { forMs: 1_000 }),
      () => one.steps.awaitEvent(job!, run!, "event", { event: "paid", key: null, until: null }),
      () => one.db.transaction((tx) => one.steps.keep(tx, job!, run!, "late", 1)),
    ];
    for (const write of writes) await expect(write()).rejects.toThrow();
    expect(await bench.sql("select from mainstay.job_steps")).toEqual([]);
    await bench.sql("update mainstay.jobs set claim = claim - 1");
    release();
    await isDone(one, id);
  });

  test("are bounded in number and size, and their names are one's own", async () => {
    const refused: string[] = [];
    const one = await node(
      async (_, job, run) => {
        const attempt = (name: string, value: Json) =>
          one.steps.keepAlone(job, run, name, value).catch((error: { code: string }) => refused.push(error.code));
        await attempt("big", "x".repeat(1_100));
        await attempt("", 1);
        await attempt("n".repeat(201), 1);
        await attempt("fine", 1);
        await attempt("fine", 2);
        for (let at = 0; at < 12; at++) await attempt(`step ${at}`, at);
        return { kind: "done", result: null };
      },
      { jobsStepMaxBytes: 1_024, jobsStepsMax: 10 },
    );
    const id = await start(one);
    await isDone(one, id);
    expect(refused).toEqual([
      "jobs/step-too-large",
      "jobs/bad-step-name",
      "jobs/bad-step-name",
      "jobs/step-taken",
      "jobs/too-many-steps",
      "jobs/too-many-steps",
      "jobs/too-many-steps",
    ]);
    expect(await bench.sql("select value from mainstay.job_steps where name = 'fine'")).toEqual([{ value: 1 }]);
  });

  test("a step and its effect are one transaction", async () => {
    await bench.sql("create table public.effects (n int)");
    let tries = 0;
    const one = await node(async (_, job, run) => {
      if (!(await one.steps.find(job.id, "pay")).isDone) {
        await one.db.transaction(async (tx) => {
          const { sql } = await import("pg-sql2");
          await tx.query(sql`insert into public.effects values (1)`);
          await one.steps.keep(tx, job, run, "pay", "paid");
          if (++tries < 3) throw new Error("the server died here");
        });
      }
      return { kind: "done" };
    });
    await isDone(one, await start(one));
    expect(await bench.sql("select * from public.effects")).toEqual([{ n: 1 }]);
  });
});

describe("sleep", () => {
  test("ends the run, takes no attempt, and lasts as long as was settled first", async () => {
    const times: number[] = [];
    const one = await node(async ({ sleep }) => {
      times.push(performance.now());
      // Another length at every run: the first one counts.
      await sleep("nap", times.length === 1 ? 700 : 60_000);
      return { kind: "done", result: times.length };
    });
    const id = await start(one);
    await eventually(async () =>
      expect((await one.jobs.get(id))?.runAt.localeCompare(new Date().toISOString())).toBe(1),
    );
    await isDone(one, id);
    expect(times.at(-1)! - times[0]!).toBeGreaterThanOrEqual(690);
    expect(await one.jobs.get(id)).toMatchObject({ attempts: 1 });
  });

  test("X18 a node whose clock is wrong does not cut it short", async () => {
    let runs = 0;
    const one = await node(async ({ sleep }) => {
      runs++;
      await sleep("nap", 600);
      return { kind: "done" };
    });
    const id = await start(one);
    await eventually(() => expect(runs).toBe(1));
    // As if the queue had taken it for due: PostgreSQL's clock says otherwise.
    await eventually(async () =>
      expect(await bench.sql("update mainstay.jobs set run_at = now() where state = 1 returning 1")).toHaveLength(1),
    );
    await eventually(() => expect(runs).toBeGreaterThan(1));
    expect(await state(one, id)).not.toBe("done");
    await isDone(one, id);
  });
});

describe("events", () => {
  test("wake all that wait for them with the same key, and nobody else", async () => {
    const one = await node(async ({ event }, job) => {
      const { key } = job.payload as { key: string | null };
      return { kind: "done", result: await event("wait", "paid", key) };
    });
    const ids = await Promise.all([
      start(one, { key: "a" }),
      start(one, { key: "a" }),
      start(one, { key: "b" }),
      start(one, { key: null }),
    ]);
    for (const id of ids) await isWaiting(one, id);
    await one.jobs.sendEvent(one.db, "shipped", { no: true }, "a");
    await one.jobs.sendEvent(one.db, "paid", { sum: 5 }, "a");
    await isDone(one, ids[0]!);
    await isDone(one, ids[1]!);
    expect(await result(one, ids[0]!)).toEqual({ sum: 5 });
    expect(await result(one, ids[1]!)).toEqual({ sum: 5 });
    expect([await state(one, ids[2]!), await state(one, ids[3]!)]).toEqual(["waiting", "waiting"]);
    await one.jobs.sendEvent(one.db, "paid", "for nobody in particular");
    await isDone(one, ids[3]!);
    expect(await state(one, ids[2]!)).toBe("waiting");
    await one.jobs.cancel(ids[2]!);
    expect(await bench.sql("select from mainstay.job_waits")).toEqual([]);
  });

  test("sent between the job's start and the wait are found, older ones are not, and each is had once", async () => {
    const one = await node(async ({ step, event }) => {
      await step("first", async () => {
        await wait(300);
        return null;
      });
      return {
        kind: "done",
        result: [await event("1", "tick"), await event("2", "tick"), await event("3", "tick", null, 200)],
      };
    });
    await one.jobs.sendEvent(one.db, "tick", "before the job");
    const id = await start(one);
    await wait(50);
    await one.jobs.sendEvent(one.db, "tick", "one");
    await one.jobs.sendEvent(one.db, "tick", "two");
    await isDone(one, id);
    expect(await result(one, id)).toEqual(["one", "two", null]);
  });

  test("by SQL are told with the transaction that sends them, or never", async () => {
    const one = await node(async ({ event }) => ({ kind: "done", result: await event("wait", "paid", "order 1") }));
    const id = await start(one);
    await isWaiting(one, id);
    await bench.sql("begin");
    await bench.sql(`select mainstay.send_event('paid', '{"by": "sql"}', 'order 1')`);
    await wait(200);
    expect(await state(one, id)).toBe("waiting");
    await bench.sql("rollback");
    await wait(200);
    expect(await state(one, id)).toBe("waiting");
    await bench.sql(`select mainstay.send_event(name => 'paid', payload => '{"by": "sql"}', key => 'order 1')`);
    await isDone(one, id);
    expect(await result(one, id)).toEqual({ by: "sql" });
    for (const role of ["anon", "authenticated"]) {
      await expect(bench.sql(`set role ${role}; select mainstay.send_event('paid')`)).rejects.toMatchObject({
        code: "42501",
      });
      await bench.sql("reset role");
    }
    await expect(bench.sql("select mainstay.send_event('')")).rejects.toMatchObject({ code: "22023" });
  });

  test("that do not come in time are null, once the time is over", async () => {
    const one = await node(async ({ event }) => {
      const [first, second] = [await event("1", "never", null, 300), await event("2", "never", null, 300)];
      return { kind: "done", result: [first, second] };
    });
    const id = await start(one);
    await isDone(one, id);
    expect(await result(one, id)).toEqual([null, null]);
    expect(await bench.sql("select from mainstay.job_waits")).toEqual([]);
  });

  test("X11 sent while others begin to wait are missed by none: two nodes, many at once", async () => {
    const workflow: Workflow = async ({ event }, job) => ({
      kind: "done",
      result: await event("wait", "go", `${(job.payload as { n: number }).n}`),
    });
    const [one, other] = [await node(workflow), await node(workflow)];
    const count = 60;
    const ids: string[] = [];
    const sending: Promise<unknown>[] = [];
    for (let n = 0; n < count; n++) {
      ids.push(await start(n % 2 === 0 ? one : other, { n }));
      // Some before, some while, some after it waits.
      sending.push(wait((n % 7) * 5).then(() => one.jobs.sendEvent(other.db, "go", n, `${n}`)));
    }
    await Promise.all(sending);
    await eventually(async () => expect(await bench.count("state < 4")).toBe(0));
    const results = await Promise.all(ids.map((id) => result(one, id)));
    expect(results).toEqual(ids.map((_, n) => n));
  });

  test("sent while no node is there are delivered when one comes", async () => {
    const workflow: Workflow = async ({ event }) => ({ kind: "done", result: await event("wait", "go") });
    const one = await node(workflow);
    const id = await start(one);
    await isWaiting(one, id);
    for (const delivery of deliveries.splice(0)) await delivery.stop();
    await one.stop();
    await bench.sql("select mainstay.send_event('go', '1')");
    const other = await node(workflow);
    await isDone(other, id);
    expect(await result(other, id)).toBe(1);
  });

  test("X18 one sent while it waits counts, though the clock has gone back since", async () => {
    const one = await node(async ({ event }) => ({ kind: "done", result: await event("wait", "go") }));
    const id = await start(one);
    await isWaiting(one, id);
    await bench.sql(
      "insert into mainstay.job_events (name, payload, sent_at) values ('go', '2', now() - interval '1 hour'); notify mainstay_job_events",
    );
    await isDone(one, id);
    expect(await result(one, id)).toBe(2);
  });

  test("and steps are swept when they are past their time or of no job any more", async () => {
    await bench.sql(`insert into mainstay.job_events (name, payload, sent_at) values ('old', '1', now() - interval '8 days'), ('new', '1', now());
      insert into mainstay.job_steps (job_id, name, kept_at) values (gen_random_uuid(), 'orphan', now() - interval '2 minutes')`);
    await node(async () => ({ kind: "done" }));
    await eventually(async () => {
      expect(await bench.sql("select name from mainstay.job_events")).toEqual([{ name: "new" }]);
      expect(await bench.sql("select from mainstay.job_steps")).toEqual([]);
    });
  });
});
