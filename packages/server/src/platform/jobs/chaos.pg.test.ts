import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { sql } from "pg-sql2";
import { afterEach, beforeEach, expect, test } from "vitest";
import { JobsBench, type TestNode } from "./testing.ts";

let bench: JobsBench;
let producer: TestNode;
const children = new Set<ChildProcess>();
beforeEach(async () => {
  bench = await JobsBench.open();
  producer = bench.node();
  await bench.sql(`
    create table effects (name text not null, n int not null);
    create unique index on effects (n) where name = 'exact';
    create table ordered (at bigserial primary key, key text not null, n int not null);
    create table spans (at bigserial primary key, key text not null, n int not null, job uuid not null, claim int not null)`);
});
afterEach(async () => {
  for (const child of children) await kill(child);
  await bench.close();
});

async function start(): Promise<void> {
  const child = fork(fileURLToPath(new URL("./node.testing.ts", import.meta.url)), [bench.database.url]);
  children.add(child);
  await once(child, "message");
}

async function kill(child: ChildProcess): Promise<void> {
  children.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

const any = (): ChildProcess => [...children][Math.floor(Math.random() * children.size)]!;

const faults: readonly (() => Promise<unknown>)[] = [
  // PostgreSQL's side of all connections, in the middle of a turn or an effect.
  () =>
    bench.sql(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    ),
  async () => {
    await kill(any());
    await start();
  },
  // One that stands still for longer than its lease, and goes on.
  async () => {
    const child = any();
    child.kill("SIGSTOP");
    await sleep(2_000);
    child.kill("SIGCONT");
  },
];

const names = ["exact", "often", "batch"] as const;
const keys = ["a", "b", "c", "d", "e"];

test("X11 every job has its effect, exactly once where effect and end are one, whoever dies", {
  timeout: 120_000,
}, async () => {
  await Promise.all([start(), start(), start()]);
  const [each, ofKey, times] = [1_500, 60, 12];
  let isDone = false;
  const writing = (async () => {
    for (let n = 0; n < each; n += 10) {
      const numbers = Array.from({ length: 10 }, (_, at) => n + at);
      const jobs = names.flatMap((name) =>
        numbers.map((payload) => ({ name, payload, key: name === "exact" ? `${payload}` : null })),
      );
      const ordered =
        n % 20 === 0 && n / 20 < ofKey
          ? keys.map((key) => ({ name: "ordered", payload: { key, n: n / 20 }, orderKey: key }))
          : [];
      await committed(
        () => producer.db.transaction((tx) => producer.jobs.enqueue(tx, [...jobs, ...ordered])),
        jobs[0]!.payload,
      );
      // What never committed must never run.
      await producer.db
        .transaction(async (tx) => {
          await producer.jobs.enqueue(tx, [{ name: "often", payload: -1 }]);
          throw new Error("changed my mind");
        })
        .catch(() => {});
      await sleep(Math.random() * 100);
    }
    isDone = true;
  })();
  for (let time = 0; time < times; time++) {
    await sleep(200 + Math.random() * 600);
    await faults[time % faults.length]!();
  }
  await writing;
  expect(isDone).toBe(true);
  await expect.poll(() => bench.count("state < 4"), { timeout: 60_000, interval: 200 }).toBe(0);
  expect(await bench.count("state = 5")).toBe(0);

  const all = Array.from({ length: each }, (_, n) => n);
  const effects = async (name: string) =>
    (await bench.sql<{ n: number }>(`select n from effects where name = '${name}' order by n`)).map(({ n }) => n);
  expect(await effects("exact")).toEqual(all);
  for (const name of ["often", "batch"]) expect([...new Set(await effects(name))]).toEqual(all);
  for (const key of keys) {
    const rows = await bench.sql<{ n: number }>(`select n from ordered where key = '${key}' order by at`);
    expect(rows.map(({ n }) => n)).toEqual(Array.from({ length: ofKey }, (_, n) => n));
  }
  // One that was run twice in one claim would be here.
  expect(await bench.sql("select from spans group by job, claim having count(*) > 1")).toEqual([]);
  expect(await bench.sql("select from mainstay.job_order_news")).toEqual([]);
});

/** Once, also where the answer to COMMIT is lost: the keys of its jobs say whether it happened. */
async function committed(put: () => Promise<unknown>, first: number): Promise<void> {
  while (true) {
    try {
      await put();
      return;
    } catch {
      await sleep(50);
      const isThere = () =>
        producer.db.query(sql`
          select 1 where exists (select from mainstay.jobs where name = 'exact' and key = ${sql.value(`${first}`)})
            or exists (select from effects where name = 'exact' and n = ${sql.value(first)})`);
      const rows = await isThere().catch(isThere).catch(isThere);
      if (rows.length > 0) return;
    }
  }
}
