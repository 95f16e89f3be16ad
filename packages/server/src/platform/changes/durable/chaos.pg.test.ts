import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DurableBench } from "./testing.ts";

const readers = ["one", "two"] as const;

let bench: DurableBench;
let leader: ChildProcess | null;
const children = new Set<ChildProcess>();
beforeEach(async () => {
  leader = null;
  bench = await DurableBench.open();
});
afterEach(async () => {
  for (const child of children) await kill(child);
  await bench.close();
});

async function start(): Promise<void> {
  const child = fork(fileURLToPath(new URL("./node.testing.ts", import.meta.url)), [bench.database.url, ...readers]);
  children.add(child);
  child.on("message", (word) => {
    if (word === "leading") leader = child;
  });
  await once(child, "message");
}

async function kill(child: ChildProcess): Promise<void> {
  children.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

/** Ends PostgreSQL's side of connections. */
const cut = (which: string) =>
  bench.sql(`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and ${which}`);

const faults: readonly (() => Promise<unknown>)[] = [
  () => cut("backend_type = 'walsender'"),
  // In the middle of an effect, mostly.
  () => cut("backend_type <> 'walsender'"),
  () => cut("true"),
  async () => {
    if (leader !== null) await kill(leader);
    await start();
  },
  async () => {
    await kill([...children][Math.floor(Math.random() * children.size)]!);
    await start();
  },
];

test("R13 X11 every change has its effect exactly once, whoever dies", { timeout: 180_000 }, async () => {
  await Promise.all([start(), start()]);
  const cursors = () => bench.sql("select from mainstay.log_cursors");
  await expect.poll(cursors).toHaveLength(readers.length);

  const [changes, kills] = [2_000, 20];
  let written = 0;
  let isDone = false;
  const writing = (async () => {
    while (written < changes) {
      const count = Math.min(1 + Math.floor(Math.random() * 20), changes - written);
      const rows = `insert into entries select n from generate_series(${written + 1}, ${written + count}) n`;
      // What never committed must never be seen.
      if (Math.random() < 0.2) await bench.sql(`begin; ${rows}; rollback`);
      await bench.sql(rows);
      written += count;
      await delay(Math.random() * 150);
    }
    isDone = true;
  })();
  for (let times = 0; times < kills; times++) {
    await delay(200 + Math.random() * 600);
    await faults[times % faults.length]!();
  }
  await writing;
  expect(isDone).toBe(true);
  for (const reader of readers) {
    await expect
      .poll(async () => (await bench.taken(reader)).length, { timeout: 60_000, interval: 100 })
      .toBeGreaterThanOrEqual(changes);
    expect(await bench.taken(reader)).toEqual(Array.from({ length: changes }, (_, at) => at + 1));
  }
  expect(await bench.sql("select from gaps")).toEqual([]);
});

test("X11 when the node that reads is killed, another reads within seconds", async () => {
  await Promise.all([start(), start()]);
  await expect.poll(() => leader !== null && bench.sql("select from mainstay.log_cursors")).toHaveLength(2);
  await bench.sql("insert into entries values (1)");
  await expect.poll(() => bench.taken("two")).toEqual([1]);
  await kill(leader!);
  await bench.sql("insert into entries values (2)");
  await expect.poll(() => bench.taken("two")).toEqual([1, 2]);
});
