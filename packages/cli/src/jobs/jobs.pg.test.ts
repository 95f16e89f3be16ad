import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type TestDatabase, templateDatabase, testDatabase } from "@mainstay/testing";
import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { mainstayHere } from "../in-process.testing.ts";
import { startMainstay, temporaryFolder, until } from "../testing.ts";

// A server, and one that is started for a call.
vi.setConfig({ testTimeout: 180_000 });

const functions = {
  "orders.ts": `import { job, serve } from "@mainstay/functions";
    export const pay = job("pay", { maxAttempts: 1, queue: "money" }, (payload, ctx) => {
      ctx.log.warn("paying", { amount: payload.amount });
      throw new RangeError("no money");
    });
    export default serve(async (request, ctx) => {
      console.log("called by " + (ctx.user?.email ?? ctx.user?.id ?? "nobody"));
      const order = request.body === null ? null : await request.json();
      if (order?.pay) await ctx.jobs.enqueue("pay", { amount: order.pay });
      return Response.json({ order, as: ctx.user?.id ?? null, header: request.headers.get("x-own") }, { status: order?.fail ? 409 : 201 });
    });`,
  "bytes.ts": `export default () => new Response(new Uint8Array([255, 0, 1]));`,
  "night.ts": `import { cron } from "@mainstay/functions";
    export default cron("0 3 * * *", { timeZone: "Europe/Berlin", name: "nightly" }, () => {});`,
};

let database: TestDatabase;
let sql: pg.Client;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: ChildProcess | null = null;
const user = "00000000-0000-4000-8000-0000000000aa";

beforeAll(async () => {
  database = await testDatabase(await templateDatabase());
  sql = new pg.Client({ connectionString: database.url });
  await sql.connect();
  await sql.query(
    "insert into auth.users (id, aud, role, email) values ($1, 'authenticated', 'authenticated', 'kim@example.com')",
    [user],
  );
  folder = await temporaryFolder();
  await mkdir(join(folder.path, "functions"));
  await symlink(fileURLToPath(new URL("../../../../node_modules", import.meta.url)), join(folder.path, "node_modules"));
  for (const [name, source] of Object.entries(functions)) await writeFile(join(folder.path, "functions", name), source);
});
afterAll(async () => {
  await stop();
  await sql.end();
  await folder.remove();
  await database.drop();
});

async function start(): Promise<void> {
  server = startMainstay(["start", "--port", "0"], { cwd: folder.path, env: env() });
  await until(server, "stdout", /Functions: /);
}
async function stop(): Promise<void> {
  if (server === null || server.exitCode !== null) return;
  const ended = once(server, "close");
  server.kill("SIGTERM");
  await ended;
  server = null;
}

const env = () => ({ DATABASE_URL: database.url, TZ: "UTC" });
async function run(...args: readonly string[]) {
  const result = await mainstayHere(args, { cwd: folder.path, env: env() });
  return { ...result, json: () => JSON.parse(result.out) };
}
const lines = (text: string) => text.trimEnd().split("\n");

test("run calls a function that nobody serves, and runs none of the jobs it puts in", async () => {
  const { code, out, err } = await run(
    "functions",
    "run",
    "orders/new?x=1",
    "--data",
    '{"pay": 5}',
    "--header",
    "X-Own: a: b",
  );
  expect({ code, out }, err).toMatchObject({ code: 0, out: expect.stringMatching(/^201 Created {2}\d/) });
  expect(lines(out).at(-1)).toBe('{"order":{"pay":5},"as":null,"header":"a: b"}');
  expect(out).toMatch(/^x-request-id: \S+$/m);
  expect(err).toMatch(/info {3}orders {2}called by nobody\n$/);
  const found = (await run("jobs", "list", "--json")).json().jobs;
  expect(found).toMatchObject([{ name: "pay", state: "ready", queue: "money", attempts: 0, payload: { amount: 5 } }]);
});

test("with a server", async () => {
  await start();
  await callsFunctions();
  await showsLogs();
  await managesJobs();
});

async function callsFunctions(): Promise<void> {
  const asUser = (
    await run("functions", "run", "orders", "--as", "user:kim@example.com", "--data", "{}", "--json")
  ).json();
  expect(asUser).toMatchObject({ status: 201, body: JSON.stringify({ order: {}, as: user, header: null }) });
  expect(asUser.logs.map(({ message, isEnd }: { message: string; isEnd: boolean }) => [message, isEnd])).toEqual([
    ["called by kim@example.com", false],
    ["", true],
  ]);
  await writeFile(join(folder.path, "order.json"), '{"fail": true}');
  const refused = await run("functions", "run", "orders", "--data", "@order.json", "--as", "service", "--json");
  expect([refused.code, refused.json().status]).toEqual([1, 409]);
  expect((await run("functions", "run", "bytes", "--method", "GET", "--json")).json()).toMatchObject({
    bodyBase64: "/wAB",
  });
  expect(await run("functions", "run", "orders", "--as", "user:nobody@example.com")).toMatchObject({
    code: 1,
    err: expect.stringContaining("no user nobody@example.com"),
  });
  expect(await run("functions", "run", "absent")).toMatchObject({ code: 1, out: expect.stringMatching(/^404 /) });
  for (const wrong of [
    ["../x"],
    ["orders", "--as", "root"],
    ["orders", "--header", "x"],
    ["orders", "--data", "@absent"],
  ]) {
    expect(await run("functions", "run", ...wrong)).toMatchObject({ code: 2 });
  }
}

async function showsLogs(): Promise<void> {
  const { requestId } = (await run("functions", "run", "orders", "--data", '{"pay": 7}', "--json")).json();
  await vi.waitFor(
    async () => {
      const chain = await sql.query("select from mainstay.function_logs where request_id = $1 and is_end", [requestId]);
      expect(chain.rowCount).toBe(2);
    },
    { timeout: 20_000, interval: 50 },
  );
  const { out } = await run("functions", "logs", "--request", requestId);
  expect(out).toMatch(
    /info {3}orders {2}called by nobody\n.*info {3}orders {2}201 in \S+ {2}\S+\n.*warn {3}orders {2}paying {2}\{"amount":7\}\n.*error {2}orders {2}failed in /,
  );
  expect(out).toMatch(/RangeError: no money\n {4} +at .*functions\/orders\.ts:4:/);
  expect(out).toMatch(/\n\n[0-9a-f-]{36} {2}pay {2}dead {2}1 {2}/);
  const errors = await run("functions", "logs", "orders", "--level", "error", "--since", "1h", "--json");
  expect(lines(errors.out).map((line) => JSON.parse(line).level)).toEqual(expect.arrayContaining(["error"]));
  expect(new Set(lines(errors.out).map((line) => JSON.parse(line).level))).toEqual(new Set(["error"]));
  expect(await run("functions", "logs", "absent")).toMatchObject({ code: 0, out: "" });
  expect(await run("functions", "logs", "--since", "soon")).toMatchObject({ code: 2 });
  const following = startMainstay(["functions", "logs", "orders", "-f", "-l", "1", "--json"], {
    cwd: folder.path,
    env: env(),
  });
  await until(following, "stdout", /\n/);
  const seen = until(following, "stdout", /called by kim/);
  await run("functions", "run", "orders", "--as", `user:${user}`);
  await seen;
  const ended = once(following, "close");
  following.kill("SIGINT");
  await ended;
  expect(following.exitCode).toBe(0);
}

async function managesJobs(): Promise<void> {
  const dead = (await run("jobs", "list", "--state", "dead", "--name", "pay", "--json")).json().jobs;
  expect(dead).toHaveLength(2);
  const [{ id }] = dead;
  const page = (await run("jobs", "show", id)).out;
  expect(page).toMatch(/^pay {2}dead\nid {8}\S+\nqueue {5}money\nattempts {2}1\nrequest {3}\S+\n/);
  expect(page).toContain('payload   {"amount":7}\n');
  expect(page).toMatch(/error {5}RangeError: no money\n {10} +at /);
  expect(page).toMatch(/\nLog\n {2}.*paying/);
  expect((await run("jobs", "show", id, "--json")).json()).toMatchObject({
    job: { id, steps: [] },
    logs: [{ message: "paying" }, { isEnd: true }],
  });
  expect((await run("jobs", "pause", "money")).out).toContain("money begins no more jobs");
  expect((await run("jobs", "retry", "--dead", "--name", "pay", "--json")).json()).toEqual({ retried: 2, missing: [] });
  expect((await run("jobs", "queues")).out).toMatch(/queue +ready +running.*\n(.*\n)*money +2 +0 +0 +0 +0 +0 +paused/);
  expect((await run("jobs", "cancel", id)).out).toContain("1 job is cancelled");
  expect(await run("jobs", "cancel", id, "nonsense")).toMatchObject({
    code: 1,
    out: "",
    err: expect.stringContaining("over already"),
  });
  expect((await run("jobs", "retry", id)).out).toContain("1 job runs again");
  expect((await run("jobs", "resume", "money", "--json")).json()).toEqual({ queue: "money", isPaused: false });
  await vi.waitFor(
    async () =>
      expect((await sql.query("select from mainstay.jobs where state = 5 and name = 'pay'")).rowCount).toBe(2),
    { timeout: 20_000, interval: 50 },
  );
  expect((await run("jobs", "list")).out).toMatch(/^[0-9a-f-]{36} {2}pay {2}dead {2}1 .*RangeError: no money$/m);
  expect(await run("jobs", "show", "nonsense")).toMatchObject({
    code: 1,
    err: expect.stringContaining("no job nonsense"),
  });
  expect(await run("jobs", "retry")).toMatchObject({ code: 2 });
  expect(await run("jobs", "retry", "--name", "pay")).toMatchObject({ code: 2 });
  expect((await run("schedules", "list")).out).toMatch(
    /nightly {2}functions {2}0 3 \* \* \* {2}Europe\/Berlin {2}.*\d\d:00:00 {2}–/,
  );
  expect((await run("schedules", "list", "--json")).json().schedules).toMatchObject([
    { name: "nightly", lastRunAt: null },
  ]);
}
