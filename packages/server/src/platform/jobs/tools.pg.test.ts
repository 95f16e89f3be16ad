import { afterAll, beforeAll, expect, test } from "vitest";
import { openDatabase } from "../postgres/database.ts";
import { JobsBench } from "./testing.ts";
import { createJobTools, type JobTools } from "./tools.ts";

let bench: JobsBench;
let tools: JobTools;
let database: ReturnType<typeof openDatabase>;
beforeAll(async () => {
  bench = await JobsBench.open();
  database = openDatabase({ connectionString: bench.database.url });
  tools = createJobTools(database);
});
afterAll(async () => {
  await database.close();
  await bench.close();
});

const put = async (job: object): Promise<string> => {
  const [row] = await bench.sql<{ id: string }>("select id from mainstay.enqueue_many($1)", [JSON.stringify([job])]);
  return row!.id;
};
const set = (id: string, to: string) => bench.sql(`update mainstay.jobs set ${to} where id = $1`, [id]);

test("shows jobs, queues and what is wrong, and has dead ones run again", async () => {
  const ready = await put({ name: "mail", queue: "mails", payload: { to: "a" }, caused_by: "request-1" });
  await put({ name: "mail", queue: "mails", delay_ms: 60_000 });
  const dead = await put({ name: "mail", queue: "mails" });
  const other = await put({ name: "other" });
  const waits = await put({ name: "flow" });
  await set(dead, "state = 5, finished_at = now(), failures = 25, last_error = 'no'");
  await set(other, "state = 5, finished_at = now()");
  await set(waits, "state = 3, run_at = 'infinity'");
  await bench.sql(
    "insert into mainstay.job_waits (job_id, step, event, key, since) values ($1, 'paid', 'payment', 'k', now())",
    [waits],
  );
  await bench.sql(
    `insert into mainstay.job_steps (job_id, name, kind, value) values ($1, 'first', 'done', '{"a": 1}'), ($1, 'paid', 'wait', '{"untilMs": 1767225600000}')`,
    [waits],
  );
  expect((await tools.list({ causedBy: "request-1" })).map(({ id, causedBy }) => [id, causedBy])).toEqual([
    [ready, "request-1"],
  ]);
  expect(await tools.find(waits)).toMatchObject({
    state: "waiting",
    maxAttempts: null,
    steps: [
      { name: "first", kind: "done", value: { a: 1 }, until: null },
      { name: "paid", kind: "wait", value: null, until: "2026-01-01T00:00:00.000000Z" },
    ],
    wait: { step: "paid", event: "payment", key: "k", until: null },
    node: null,
  });
  for (const id of ["nobody", "00000000-0000-7000-8000-000000000000"]) {
    expect([await tools.find(id), await tools.retry(id), await tools.cancel(id)]).toEqual([null, false, false]);
  }
  await tools.pause("mails");
  await tools.pause("empty");
  expect(await tools.queues()).toMatchObject([
    { name: "default", ready: 0, waiting: 1, dead: 1, oldestReadyMs: null, isPaused: false },
    { name: "empty", ready: 0, isPaused: true },
    { name: "mails", ready: 1, later: 1, dead: 1, running: 0, concurrency: null, isPaused: true },
  ]);
  await bench.sql("update mainstay.job_queues set concurrency = 3 where name = 'mails'");
  await set(ready, "run_at = now() - interval '1 h'");
  expect((await tools.trouble(60_000)).map(({ name, dead, late }) => [name, dead, late])).toEqual([
    ["mail", 1, 0],
    ["other", 1, 0],
  ]);
  await tools.resume("mails");
  await tools.resume("empty");
  expect((await tools.queues()).map(({ name, concurrency, isPaused }) => [name, concurrency, isPaused])).toEqual([
    ["default", null, false],
    ["mails", 3, false],
  ]);
  const late = (await tools.trouble(60_000)).find(({ name }) => name === "mail");
  expect(late).toEqual({ name: "mail", dead: 1, late: 1, abandoned: 0 });
  await bench.sql(
    "insert into mainstay.job_nodes (node_id, lease_until) values (gen_random_uuid(), now() - interval '1 h')",
  );
  await set(ready, "claimed_by = (select max(number) from mainstay.job_nodes)");
  expect((await tools.trouble(60_000)).find(({ name }) => name === "mail")).toMatchObject({ late: 0, abandoned: 1 });
  expect((await tools.find(ready))!.node).toMatch(/^[0-9a-f-]{36}$/);
  expect(await tools.retryDead({ name: "mail", limit: 10 })).toBe(1);
  expect(await tools.find(dead)).toMatchObject({ state: "ready", attempts: 0, lastError: "no" });
  expect(await tools.retryDead({ limit: 10 })).toBe(1);
  expect(await tools.retryDead({ limit: 10 })).toBe(0);
  expect(await tools.cancel(other)).toBe(true);
  expect((await tools.list({ state: "cancelled" })).map(({ id }) => id)).toEqual([other]);
});
