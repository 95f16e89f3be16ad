import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FinalJobError, type Json, RetryLaterError, RunAborted } from "./index.ts";
import { JobsBench, type TestNode } from "./testing.ts";

let bench: JobsBench;
beforeEach(async () => {
  bench = await JobsBench.open();
});
afterEach(() => bench.close());

const until = (holds: () => boolean | Promise<boolean>) =>
  expect.poll(holds, { interval: 10, timeout: 5_000 }).toBe(true);

const put = async ({ jobs, db }: TestNode, name: string, payload: Json = {}, more: object = {}) =>
  (await jobs.enqueue(db, [{ name, payload, ...more }]))[0]!;

describe("jobs", () => {
  it("run what is committed and nothing of what was rolled back, and leave nothing of it", async () => {
    const node = bench.node();
    const got: Json[] = [];
    node.jobs.handle({
      name: "hello",
      async run({ payload }) {
        got.push(payload);
        return { kind: "done" };
      },
    });
    await node.jobs.start();
    await node.db.transaction(async (tx) => {
      await node.jobs.enqueue(tx, [{ name: "hello", payload: 1 }]);
      await sleep(200);
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
    await until(async () => (await bench.count()) === 0);
    expect(got).toEqual([1, 2]);
    expect(await bench.sql("select name, sum(done)::int as done from mainstay.job_counts group by name")).toEqual([
      { name: "hello", done: 2 },
    ]);
  });
});
