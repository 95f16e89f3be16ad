import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestDatabase, templateDatabase, testDatabase } from "@mainstay/testing";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { mainstayHere } from "../in-process.testing.ts";
import { startMainstay, temporaryFolder, until } from "../testing.ts";

// Every line of these is a whole command.
vi.setConfig({ testTimeout: 180_000 });

let database: TestDatabase;
let sql: pg.Client;
let receiver: Server;
let url: string;
const folders: Awaited<ReturnType<typeof temporaryFolder>>[] = [];
const nodes = new Set<ChildProcess>();

/** Of every message, how often it was taken, and which row it was about. */
const taken = new Map<string, { times: number; row: number }>();
let status = () => 200;

beforeAll(async () => {
  database = await testDatabase(await templateDatabase());
  sql = new pg.Client({ connectionString: database.url });
  await sql.connect();
  await sql.query("create table orders (id int primary key, state text)");
  receiver = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const message = JSON.parse(Buffer.concat(chunks).toString());
    const answer = status();
    await new Promise((resolve) => setTimeout(resolve, 10));
    if (answer === 200) {
      const known = taken.get(message.id) ?? { times: 0, row: message.record?.id ?? 0 };
      taken.set(message.id, { ...known, times: known.times + 1 });
    }
    response.writeHead(answer).end("seen");
  });
  await new Promise<void>((listening) => receiver.listen(0, "127.0.0.1", listening));
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
  for (let n = 0; n < 2; n++) folders.push(await temporaryFolder());
});
beforeEach(() => {
  taken.clear();
  status = () => 200;
});
afterAll(async () => {
  for (const node of [...nodes]) await end(node);
  await sql.end();
  receiver.close();
  for (const folder of folders) await folder.remove();
  await database.drop();
});

const env = () => ({
  DATABASE_URL: database.url,
  MAINSTAY_MASTER_KEY: "the master key of two nodes, long enough",
  MAINSTAY_WEBHOOK_ALLOWED_HOSTS: "127.0.0.1",
  MAINSTAY_WEBHOOK_RETRY_FIRST_MS: "100",
  MAINSTAY_WEBHOOK_BREAKER_FAILURES: "1000",
});

async function start(place: number): Promise<ChildProcess> {
  const node = startMainstay(["start", "--port", "0"], { cwd: folders[place]!.path, env: env() });
  nodes.add(node);
  await until(node, "stdout", /listening|http:\/\//i);
  return node;
}

async function end(node: ChildProcess): Promise<void> {
  nodes.delete(node);
  if (node.exitCode !== null || node.signalCode !== null) return;
  node.kill("SIGKILL");
  await once(node, "close");
}

const run = async (...args: readonly string[]) => {
  const result = await mainstayHere(["webhooks", ...args], { cwd: folders[0]!.path, env: env() });
  return { ...result, json: () => JSON.parse(result.out) };
};

test("X11 nodes are killed in the middle: every change arrives, under one id each", async () => {
  let [one, other] = await Promise.all([start(0), start(1)]);
  await sql.query("select mainstay.create_webhook('ledger', $1, 'orders', operations => '{insert}')", [url]);
  await vi.waitFor(
    async () => expect((await sql.query("select from mainstay.log_cursors where name = 'webhooks'")).rowCount).toBe(1),
    { timeout: 60_000, interval: 50 },
  );
  let count = 0;
  status = () => (count++ % 7 === 0 ? 503 : 200);
  const rows = 400;
  for (let id = 1; id <= rows; id++) {
    await sql.query("insert into orders values ($1, 'new')", [id]);
    if (id === 100) await end(one);
    if (id === 200) one = await start(0);
    if (id === 250) await end(other);
    if (id === 300) other = await start(1);
  }
  await vi.waitFor(() => expect(new Set([...taken.values()].map(({ row }) => row)).size).toBe(rows), {
    timeout: 120_000,
    interval: 100,
  });
  // A change became one message, whoever read the log; of what was under way when a node died some came twice, under its id.
  expect(taken.size).toBe(rows);
  const twice = [...taken.values()].filter(({ times }) => times > 1).length;
  expect(twice).toBeLessThanOrEqual(2 * 16);
  await vi.waitFor(
    async () => {
      const { rows: states } = await sql.query(
        "select state, count(*)::int as count from mainstay.webhook_deliveries group by 1",
      );
      expect(states).toEqual([{ state: "delivered", count: rows }]);
    },
    { timeout: 60_000, interval: 100 },
  );
});

test("lists, shows, replays and tests webhooks, with a server running", async () => {
  expect((await run("list", "--json")).json().webhooks).toMatchObject([{ name: "ledger", isEnabled: true, url }]);
  expect((await run("list")).out).toContain("insert of public.orders");
  const { id } = (await run("test", "ledger", "--json")).json();
  await vi.waitFor(() => expect(taken.get(id)?.times).toBe(1), { timeout: 30_000 });
  const [delivery] = (await run("deliveries", "--limit", "1", "--json")).json().deliveries;
  expect(delivery).toMatchObject({ id, webhook: "ledger", eventId: `test/${id}` });
  await vi.waitFor(
    async () =>
      expect((await run("deliveries", id, "--json")).json().attempts).toMatchObject([{ status: 200, answer: "seen" }]),
    { timeout: 30_000 },
  );
  expect((await run("replay", id)).out).toContain("1 message is sent again");
  await vi.waitFor(() => expect(taken.get(id)?.times).toBe(2), { timeout: 30_000 });
  expect((await run("secret", "ledger")).out).toMatch(/^whsec_[\w+/=]{44}\n$/);
  expect((await run("replay", "--failed-since", "1h", "--json")).json()).toEqual({ replayed: 0 });
  expect(await run("test", "nobody")).toMatchObject({ code: 1, err: expect.stringContaining('no webhook "nobody"') });
  expect(await run("replay")).toMatchObject({ code: 2 });
  expect(await run("replay", "--failed-since", "soon")).toMatchObject({ code: 2 });
  expect(await run("replay", "nonsense")).toMatchObject({ code: 1 });
});
