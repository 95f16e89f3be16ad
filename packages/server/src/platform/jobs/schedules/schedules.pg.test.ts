import { type TestDatabase, templateDatabase, testDatabase } from "@mainstay/testing";
import pg from "pg";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { readSettings, type Values } from "../../../kernel/settings.ts";
import type { Observation } from "../../observe/observation.ts";
import { openDatabase } from "../../postgres/database.ts";
import { jobsSettings } from "../settings.ts";
import { jobsStore } from "../store.ts";
import type { NewJob } from "../types.ts";
import { createSchedules, type NewSchedule, type ScheduledRun, type Schedules } from "./index.ts";

let database: TestDatabase;
let admin: pg.Client;
const closers: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  database = await testDatabase(await templateDatabase());
  admin = new pg.Client({ connectionString: database.url });
  await admin.connect();
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await admin.end();
  await database.drop();
});

interface Node extends Schedules {
  /** What it has put in, committed or not. */
  readonly made: NewJob[];
  readonly observations: Observation[];
}

/** A node with the real queue, which remembers what it puts in. */
function node(settings: Partial<Values<typeof jobsSettings>> = {}): Node {
  const db = openDatabase({ connectionString: database.url, max: 3 });
  const made: NewJob[] = [];
  const observations: Observation[] = [];
  const schedules = createSchedules({
    db,
    jobs: {
      enqueue(tx, jobs) {
        made.push(...jobs);
        return jobsStore.enqueue(tx, jobs);
      },
    },
    settings: { ...readSettings(jobsSettings, { env: {} }).values, ...settings },
    observe: (observation) => observations.push(observation),
  });
  closers.push(() => db.close());
  closers.push(() => schedules.stop());
  return { ...schedules, made, observations };
}

const hourly: NewSchedule = { name: "tidy", expression: "0 * * * *", jobName: "tidy", payload: { deep: true } };
const eachSecond: NewSchedule = { name: "tick", expression: "* * * * * *", jobName: "tick" };

const rows = async <R extends object>(text: string): Promise<readonly R[]> => (await admin.query(text)).rows as R[];
const jobs = () =>
  rows<{ name: string; key: string; payload: ScheduledRun }>(
    "select name, key, payload from mainstay.jobs order by place",
  );
const eventually = (check: () => Promise<void>) => vi.waitFor(check, { timeout: 10_000, interval: 20 });
const planned = () =>
  eventually(async () => expect(await rows("select from mainstay.schedules where next_run_at is null")).toEqual([]));
const isoOf = (job: NewJob): string => (job.payload as ScheduledRun).scheduledAt;

test("what is defined is planned, kept as it is when defined again, and gone when it is not", async () => {
  const one = node();
  await one.start();
  await one.define(
    [hourly, { ...hourly, name: "berlin", timeZone: "Europe/Berlin", expression: "30 9 * * *" }],
    "functions",
  );
  await planned();
  const before = await rows("select *, xmin::text from mainstay.schedules order by name");
  expect((await one.list()).map(({ name, nextRunAt }) => [name, nextRunAt?.slice(14)])).toEqual([
    ["berlin", "30:00.000Z"],
    ["tidy", "00:00.000Z"],
  ]);
  await one.define(
    [{ ...hourly, name: "berlin", timeZone: "Europe/Berlin", expression: "30 9 * * *" }, hourly],
    "functions",
  );
  expect(await rows("select *, xmin::text from mainstay.schedules order by name")).toEqual(before);
  await one.define([hourly], "others");
  await one.define([{ ...hourly, payload: 2 }], "functions");
  expect((await one.list()).map(({ owner, name }) => `${owner}/${name}`)).toEqual(["functions/tidy", "others/tidy"]);
  const [kept] = await rows<{ next_run_at: Date }>(
    "select next_run_at from mainstay.schedules where owner = 'functions'",
  );
  // Its time is the same: what was planned stands.
  expect(kept!.next_run_at).toEqual((before[1] as { next_run_at: Date }).next_run_at);
});

test("one bad expression, and nothing of all has changed", async () => {
  const one = node();
  await one.define([hourly], "functions");
  for (const bad of [{ expression: "61 * * * *" }, { timeZone: "Nowhere/Land" }, { name: "" }, { name: "tidy" }]) {
    const refused = one.define(
      [
        { ...hourly, expression: "5 * * * *" },
        { ...hourly, name: "b", ...bad },
      ],
      "functions",
    );
    await expect(refused).rejects.toMatchObject({ code: "jobs/bad-schedule" });
  }
  expect(await rows("select name, expression from mainstay.schedules")).toEqual([
    { name: "tidy", expression: "0 * * * *" },
  ]);
});

test("a run is a job with its time in the key and the payload", async () => {
  const one = node();
  await one.define([{ ...hourly, queue: "slow", priority: 5, orderKey: "tidy", maxAttempts: 3 }], "functions");
  await admin.query("update mainstay.schedules set next_run_at = date_trunc('hour', now())");
  // Within the hour's first minute it is on time, later it is made up for: one run either way.
  await one.start();
  await eventually(async () => expect(await jobs()).toHaveLength(1));
  const hour = new Date(Math.floor(Date.now() / 3_600_000) * 3_600_000).toISOString();
  expect(await rows("select name, key, payload, queue, priority, order_key, max_attempts from mainstay.jobs")).toEqual([
    {
      name: "tidy",
      key: `functions/tidy/${hour}`,
      payload: { schedule: "tidy", scheduledAt: hour, payload: { deep: true } },
      queue: "slow",
      priority: 5,
      order_key: "tidy",
      max_attempts: 3,
    },
  ]);
});

test("X18 of three nodes each second is one's: no second twice, none left out", async () => {
  const nodes = [node(), node(), node()];
  for (const each of nodes) await each.start();
  await nodes[0]!.define([eachSecond], "functions");
  await new Promise((resolve) => setTimeout(resolve, 3_500));
  // One goes with whatever it has in hand, as in a rolling update.
  await nodes[0]!.stop();
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  for (const each of nodes) await each.stop();
  const seconds = nodes.flatMap(({ made }) => made.map(isoOf)).sort();
  expect(seconds.length).toBeGreaterThanOrEqual(5);
  const first = Date.parse(seconds[0]!);
  expect(seconds).toEqual(seconds.map((_, index) => new Date(first + index * 1_000).toISOString()));
  expect((await jobs()).map(({ payload }) => payload.scheduledAt).sort()).toEqual(seconds);
});

test("a run is not made when it cannot be put in, and then is", async () => {
  await admin.query("alter table mainstay.jobs add constraint closed check (name <> 'tick') not valid");
  const one = node();
  await one.start();
  await one.define([eachSecond], "functions");
  await eventually(async () =>
    expect(one.observations).toContainEqual(expect.objectContaining({ kind: "warning", area: "schedules" })),
  );
  await admin.query("alter table mainstay.jobs drop constraint closed");
  await eventually(async () => expect((await jobs()).length).toBeGreaterThan(1));
  await one.stop();
  const seconds = (await jobs()).map(({ payload }) => Date.parse(payload.scheduledAt)).sort();
  expect(seconds).toEqual(seconds.map((_, index) => seconds[0]! + index * 1_000));
  // Said once, however often it was tried.
  expect(one.observations).toHaveLength(1);
});

test("X11 what another node has in hand is left to it, and taken when that dies", async () => {
  const one = node();
  await one.define([hourly], "functions");
  await admin.query("update mainstay.schedules set next_run_at = date_trunc('hour', now())");
  const dying = new pg.Client({ connectionString: database.url });
  await dying.connect();
  dying.on("error", () => {});
  await dying.query("begin; select from mainstay.schedules for update");
  await one.start();
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(one.made).toEqual([]);
  await admin.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where query like '%schedules for update' and pid <> pg_backend_pid() and datname = current_database()",
  );
  await eventually(async () => expect(await jobs()).toHaveLength(1));
});

test("X18 nodes that were away make up as each schedule says, and no more than a setting allows", async () => {
  const one = node({ schedulesMissedMax: 3 });
  const names = ["once", "all", "skip"] as const;
  await one.define(
    names.map((missed) => ({ ...hourly, name: missed, missed, jobName: missed })),
    "functions",
  );
  // As if the clock had been put forward by a day, or nobody had been there for it.
  await admin.query(
    "update mainstay.schedules set expression = '30 * * * *', next_run_at = date_trunc('hour', now()) - interval '24 h 30 min'",
  );
  await one.start();
  await eventually(async () =>
    expect(await rows("select from mainstay.schedules where next_run_at <= now()")).toEqual([]),
  );
  const counts = Object.fromEntries(names.map((name) => [name, one.made.filter((job) => job.name === name).length]));
  // At half past, the run of this hour is on time and is made besides.
  expect(counts.once).toBe(1);
  expect(counts.all).toBeGreaterThanOrEqual(3);
  expect(counts.all).toBeLessThanOrEqual(4);
  expect(counts.skip).toBeLessThanOrEqual(1);
});

test("X18 a clock that goes back runs nothing twice; one that was wrong by hours does not stop schedules for as long", async () => {
  const one = node();
  await one.define([eachSecond, { ...eachSecond, name: "wrong" }], "functions");
  // As they are when the clock has gone back by an hour, and by a day.
  await admin.query(`update mainstay.schedules set next_run_at = last + interval '1 s', last_run_at = last from (
    select s.name, date_trunc('second', now()) + case s.name when 'tick' then interval '1 h' else interval '1 day' end as last from mainstay.schedules s
  ) a where a.name = schedules.name`);
  await one.start();
  await eventually(async () => expect(one.made.length).toBeGreaterThan(1));
  expect(new Set(one.made.map((job) => (job.payload as ScheduledRun).schedule))).toEqual(new Set(["wrong"]));
});

test("a schedule whose expression this version cannot read is said once, and holds up nothing", async () => {
  const one = node();
  await one.define([eachSecond, { ...eachSecond, name: "new" }], "functions");
  await admin.query(
    "update mainstay.schedules set expression = 'every full moon', next_run_at = null where name = 'new'",
  );
  await one.start();
  await eventually(async () => expect(one.made.length).toBeGreaterThan(1));
  expect(one.observations).toEqual([expect.objectContaining({ kind: "warning", area: "schedules" })]);
});

test("without schedules nothing is asked", async () => {
  const one = node({ schedulesLookMs: 100 });
  await one.start();
  const asked = () =>
    rows<{ count: number }>(
      "select count(*)::int from pg_stat_activity where query like '%mainstay.schedules%' and pid <> pg_backend_pid() and query_start > now() - interval '300 ms'",
    );
  // What is asked at the start is over some time; what is asked every 100 ms never.
  await expect.poll(asked, { interval: 300 }).toEqual([{ count: 0 }]);
});
