import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type TestDatabase, templateDatabase, testDatabase } from "@mainstay/testing";
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";

let database: TestDatabase;
let admin: pg.Client;
const children = new Set<ChildProcess>();

beforeEach(async () => {
  database = await testDatabase(await templateDatabase());
  admin = new pg.Client({ connectionString: database.url });
  await admin.connect();
});
afterEach(async () => {
  for (const child of children) await kill(child);
  await admin.end();
  await database.drop();
});

async function start(): Promise<ChildProcess> {
  const child = fork(fileURLToPath(new URL("./node.testing.ts", import.meta.url)), [database.url]);
  children.add(child);
  await once(child, "message");
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  children.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test("X11 X18 nodes are killed in the moment of a run, and every second of every schedule is there once", async () => {
  // What is put in is written down by the database itself, so that nothing twice is taken for once because of its key.
  await admin.query(`
    create table public.ledger (key text not null);
    create function public.note() returns trigger language plpgsql as $$ begin insert into public.ledger values (new.key); return new; end $$;
    create trigger note before insert on mainstay.jobs for each row execute function public.note();
    insert into mainstay.schedules (owner, name, expression, time_zone, missed, job_name)
    select 'test', 's' || n, '* * * * * *', 'UTC', 'all', 'tick' from generate_series(1, 20) n`);
  let nodes = [await start(), await start()];
  const endsAtMs = performance.now() + 9_000;
  while (performance.now() < endsAtMs) {
    // Around the turn of a second, where runs are made: from 5 ms before it to 35 ms after.
    await wait(1_000 - (Date.now() % 1_000) - 5 + Math.random() * 40);
    const [victim, other] = Math.random() < 0.5 ? nodes : nodes.reverse();
    await kill(victim!);
    nodes = [other!, await start()];
  }
  await wait(1_500);
  for (const node of nodes) await kill(node);
  const { rows } = await admin.query<{ key: string }>("select key from public.ledger");
  const bySchedule = Map.groupBy(rows, ({ key }) => key.split("/")[1]!);
  expect(bySchedule.size).toBe(20);
  for (const [name, runs] of bySchedule) {
    const seconds = runs.map(({ key }) => Date.parse(key.split("/")[2]!)).sort((a, b) => a - b);
    expect(seconds.length).toBeGreaterThan(8);
    expect(seconds, name).toEqual(seconds.map((_, index) => seconds[0]! + index * 1_000));
  }
}, 60_000);
