import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type TestDatabase, templateDatabase, testDatabase } from "@mainstay/testing";
import pg from "pg";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { readSettings, type Values } from "../../kernel/settings.ts";
import { openDatabase } from "../postgres/database.ts";
import { type NodeChange, type NodeRegistry, nodesSettings, openNodes } from "./index.ts";

const quick = { nodeBeatMs: 200, nodeGoneMs: 2_000 };
const withinMs = 5_000;

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

interface TestNode extends NodeRegistry {
  readonly changes: readonly NodeChange[];
}

async function join(settings: Partial<Values<typeof nodesSettings>> = quick): Promise<TestNode> {
  const db = openDatabase({ connectionString: database.url, max: 2 }, { listenerHeartbeatMs: 500 });
  closers.push(() => db.close());
  const nodes = await openNodes({
    database: db,
    settings: { ...readSettings(nodesSettings, { env: {} }).values, ...settings },
    observe: () => {},
  });
  closers.push(() => nodes.close());
  const changes: NodeChange[] = [];
  nodes.onChange((change) => changes.push(change));
  return Object.assign(nodes, { changes });
}

const idsOf = (nodes: readonly { readonly id: string }[]): readonly string[] => nodes.map(({ id }) => id).sort();

const eventually = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: withinMs, interval: 10 });

/** Every backend of this database but ours is ended, as by a restart. */
async function cutAll(): Promise<void> {
  await admin.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
  );
}

test("nodes see each other come and go, at once when they say so", async () => {
  const one = await join({});
  expect(one.others()).toEqual([]);
  const other = await join({});
  expect(idsOf(other.others())).toEqual([one.id]);
  // Not with its next beat, which is half a minute away.
  await eventually(() => expect(one.changes).toEqual([{ came: [{ id: other.id }], gone: [] }]));
  const third = await join({});
  expect(idsOf(third.others())).toEqual([one.id, other.id].sort());
  await eventually(() => expect(idsOf(one.others())).toEqual([other.id, third.id].sort()));
  await other.close();
  await eventually(() => {
    expect(one.changes.at(-1)).toEqual({ came: [], gone: [{ id: other.id }] });
    expect(idsOf(third.others())).toEqual([one.id]);
  });
});

test("a node that looked dead to one that comes is seen by it as soon as it has heard of it", async () => {
  const one = await join({});
  // It is alone, so that it has not spoken for a while, and the connection it spoke over was given back.
  await admin.query("update mainstay.nodes set seen_at = seen_at - interval '20 s', backend_pid = 0");
  const other = await join({});
  await eventually(() => expect(idsOf(one.others())).toEqual([other.id]));
  await eventually(() => expect(idsOf(other.others())).toEqual([one.id]));
});

test("a node that stops listening is told nothing", async () => {
  const one = await join();
  const told = vi.fn();
  one.onChange(told)();
  await join();
  await eventually(() => expect(one.others()).toHaveLength(1));
  expect(told).not.toHaveBeenCalled();
});

test("X18 a node that is killed is noticed in time, and another that starts meanwhile does not take it for alive", async () => {
  const one = await join();
  const child = fork(fileURLToPath(new URL("./node.testing.ts", import.meta.url)), [
    database.url,
    JSON.stringify(quick),
  ]);
  const exited = once(child, "exit");
  closers.push(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  const [id] = (await once(child, "message")) as [string];
  await eventually(() => expect(idsOf(one.others())).toEqual([id]));
  child.kill("SIGKILL");
  const killedAtMs = performance.now();
  await exited;
  await eventually(() => expect(one.others()).toEqual([]));
  // The bound is what the setting promises, and one look.
  expect(performance.now() - killedAtMs).toBeLessThan(quick.nodeGoneMs + 5 * quick.nodeBeatMs);
  const later = await join();
  expect(idsOf(later.others())).toEqual([one.id]);
});

test("a node that stands still is taken for gone, and comes back when it goes on", async () => {
  const one = await join();
  const child = fork(fileURLToPath(new URL("./node.testing.ts", import.meta.url)), [
    database.url,
    JSON.stringify(quick),
  ]);
  const exited = once(child, "exit");
  closers.push(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  const [id] = (await once(child, "message")) as [string];
  await eventually(() => expect(idsOf(one.others())).toEqual([id]));
  child.kill("SIGSTOP");
  await eventually(() => expect(one.others()).toEqual([]));
  child.kill("SIGCONT");
  await eventually(() => expect(idsOf(one.others())).toEqual([id]));
});

test("X09 while the database is away nobody goes, nor when it is back", async () => {
  const [one, other] = [await join(), await join()];
  await eventually(() => expect(idsOf(one.others())).toEqual([other.id]));
  const before = one.changes.length;
  for (let times = 0; times < 4; times++) {
    await cutAll();
    await new Promise((resolve) => setTimeout(resolve, quick.nodeBeatMs * 3));
  }
  // Nobody could speak for longer than a node may be silent.
  await admin.query("begin; lock table mainstay.nodes");
  await new Promise((resolve) => setTimeout(resolve, quick.nodeGoneMs * 1.5));
  await admin.query("commit");
  await new Promise((resolve) => setTimeout(resolve, quick.nodeBeatMs * 5));
  expect(one.changes.slice(before)).toEqual([]);
  expect(other.changes).toEqual([]);
  expect(idsOf(one.others())).toEqual([other.id]);
});

test("a node that is alone is silent for long", async () => {
  const one = await join({});
  const seenAt = async () => (await admin.query("select seen_at::text from mainstay.nodes")).rows;
  const before = await seenAt();
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  expect(await seenAt()).toEqual(before);
  expect(one.others()).toEqual([]);
});

test("A04 what nodes say of their keys is there for those who start later, also when they are gone", async () => {
  const one = await join();
  await one.announceKeys("a.b");
  const other = await join();
  expect(await other.keysOfOthers()).toEqual([{ fingerprint: "a.b", isHere: true }]);
  await one.close();
  expect(await other.keysOfOthers()).toEqual([{ fingerprint: "a.b", isHere: false }]);
  // Who has said nothing yet is not among them.
  await join();
  expect(await other.keysOfOthers()).toHaveLength(1);
});

test("without a database no node opens, and nothing is left running", async () => {
  const db = openDatabase({ connectionString: database.url, max: 2 });
  closers.push(() => db.close());
  await admin.query("alter table mainstay.nodes rename to nodes_away");
  await expect(openNodes({ database: db, settings: quick, observe: () => {} })).rejects.toThrow("mainstay.nodes");
  await admin.query("alter table mainstay.nodes_away rename to nodes");
  await new Promise((resolve) => setTimeout(resolve, quick.nodeBeatMs * 3));
  expect((await admin.query("select from mainstay.nodes")).rowCount).toBe(0);
});
