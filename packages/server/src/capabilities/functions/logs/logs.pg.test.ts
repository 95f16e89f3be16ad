import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDatabase } from "../../../platform/postgres/database.ts";
import { type FunctionsApp, openFunctionsApp } from "../host/app.testing.ts";
import { type FunctionLogs, readFunctionLogs } from "./index.ts";
import { functionLogsStore } from "./store.ts";
import type { NewLogRow } from "./types.ts";

let app: FunctionsApp;
let logs: FunctionLogs;
let database: ReturnType<typeof openDatabase>;

beforeAll(async () => {
  app = await openFunctionsApp(
    {
      "quiet.ts": `export default () => new Response("ok");`,
      "talks.ts": `export default (_, ctx) => {
          console.log("hello", { a: 1 });
          ctx.log.warn("careful", { password: "hunter2", place: 7, odd: "a\\u0000\\ud800" });
          console.error("Authorization: Bearer abcdefgh.ijkl");
          console.debug("nul \\u0000 here");
          return new Response("ok");
        };`,
      "throws.ts": `export default () => { throw new TypeError("password=hunter2 is wrong"); };`,
      "refuses.ts": `export default () => new Response("no", { status: 503 });`,
      "dies.ts": `export default () => { process.nextTick(() => { throw new Error("out of nowhere"); }); return new Promise(() => {}); };`,
      "orders.ts": `import { job, serve } from "@mainstay/functions";
        export const second = job("second", async (payload, ctx) => { ctx.log.info("second", { payload }); });
        export const first = job("first", { retryFirstMs: 10 }, async (payload, ctx) => {
          if (ctx.job.attempt === 1) throw new Error("not yet");
          ctx.log.info("first");
          await ctx.jobs.enqueue("second", payload);
        });
        export const take = serve(async (_, ctx) => {
          // The ends of runs that say something are always kept.
          ctx.log.info("taken");
          await ctx.transaction(async (tx) => { await tx.jobs.enqueue("first", { n: 1 }); });
          return Response.json(true);
        });`,
    },
    { settings: { functions: { functionsLogsFlushMs: 20, functionsLogsQuietPerSecond: 10 } } },
  );
  database = openDatabase({ connectionString: app.databaseUrl });
  logs = readFunctionLogs(database);
});
afterAll(async () => {
  await database?.close();
  await app?.stop();
});

/** What was logged of the request that this answers, when its end is there. */
async function logOf(answer: Response, ends = 1) {
  await answer.arrayBuffer();
  const requestId = answer.headers.get("x-request-id")!;
  const read = () => logs.list({ requestId, limit: 100 });
  await expect
    .poll(async () => (await read()).filter(({ isEnd }) => isEnd).length, { timeout: 10_000, interval: 20 })
    .toBe(ends);
  return read();
}

describe("an invocation", () => {
  test("leaves its lines and its end, by the id of its request, redacted as the server's log (A28)", async () => {
    const found = await logOf(await app.call("talks"));
    expect(found.map(({ level, message, fields, isEnd, status }) => [level, message, fields, isEnd, status])).toEqual([
      ["info", "hello { a: 1 }", null, false, null],
      ["warn", "careful", { password: "[redacted]", place: 7, odd: "a\u0000\ud800" }, false, null],
      ["error", "Authorization: [redacted]", null, false, null],
      ["debug", "nul \ufffd here", null, false, null],
      ["info", "", null, true, 200],
    ]);
    expect(found.at(-1)!.durationMs).toBeGreaterThan(0);
    expect(new Set(found.map(({ functionName }) => functionName))).toEqual(new Set(["talks"]));
  });

  test("that fails always leaves its end, with what it threw", async () => {
    const [thrown] = await logOf(await app.call("throws"));
    expect(thrown).toMatchObject({ level: "error", isEnd: true, status: 500 });
    expect(thrown!.message).toMatch(/^TypeError: password=\[redacted\] is wrong\n.*functions\/throws\.ts:1:/);
    expect((await logOf(await app.call("refuses"))).map(({ level, status }) => [level, status])).toEqual([
      ["warn", 503],
    ]);
    const died = await logOf(await app.call("dies"));
    expect(died.map(({ level, isEnd }) => [level, isEnd])).toEqual([
      ["error", false],
      ["error", true],
    ]);
    expect(died[0]!.message).toContain("out of nowhere");
  });

  test("that goes well without a word leaves its end only now and then", async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, () => app.call("quiet")));
    const talk = await logOf(await app.call("talks"));
    const quiet = await logs.list({ functionName: "quiet", limit: 1_000 });
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(quiet.length).toBeGreaterThan(0);
    expect(quiet.length).toBeLessThan(150);
    expect(quiet.every(({ level, isEnd }) => level === "debug" && isEnd)).toBe(true);
    expect(talk.at(-1)!.id).toBeGreaterThan(quiet.at(-1)!.id);
  });
});

test("a request's chain has the jobs that it put in, and those that they put in", async () => {
  const answer = await app.call("orders");
  expect(answer.status).toBe(200);
  const found = await logOf(answer, 4);
  expect(
    found.filter(({ isEnd }) => isEnd).map(({ level, invocationId }) => [level, invocationId.includes("/")]),
  ).toEqual([
    ["info", false],
    ["error", true],
    ["info", true],
    ["info", true],
  ]);
  const attempts = found.filter(({ isEnd }) => isEnd).slice(1, 3);
  const [job] = attempts[0]!.invocationId.split("/");
  expect(attempts.map(({ invocationId }) => invocationId)).toEqual([`${job}/1`, `${job}/2`]);
  expect(attempts[0]!.message).toContain("Error: not yet");
  // By any part of it.
  for (const requestId of [job!, `${job}/1`]) expect(await logs.list({ requestId, limit: 100 })).toEqual(found);
  expect(await logs.list({ requestId: "nobody's", limit: 100 })).toEqual([]);
});

const row = (given: Partial<NewLogRow>): NewLogRow => ({
  atMs: Date.now(),
  level: "info",
  functionName: "swept",
  invocationId: "x",
  requestId: "x",
  message: "",
  fields: null,
  end: null,
  ...given,
});
const messages = async () => (await logs.list({ functionName: "swept", limit: 100 })).map(({ message }) => message);

test("reads by function, level, time and place", async () => {
  const before = await logs.lastId();
  await functionLogsStore.put(database, [
    row({ message: "old", atMs: Date.now() - 7_200_000, level: "error" }),
    row({ message: "debug", level: "debug" }),
    row({ message: "warn", level: "warn" }),
    row({ message: "last", level: "error" }),
  ]);
  const read = async (filter: object) =>
    (await logs.list({ functionName: "swept", limit: 100, ...filter })).map(({ message }) => message);
  expect(await read({ level: "warn" })).toEqual(["old", "warn", "last"]);
  expect(await read({ sinceMs: Date.now() - 3_600_000 })).toEqual(["debug", "warn", "last"]);
  expect(await read({ limit: 2 })).toEqual(["warn", "last"]);
  expect(await read({ limit: 2, after: before })).toEqual(["old", "debug"]);
  expect(await functionLogsStore.sweepOld(database, { level: "all", ms: 3_600_000 }, 10)).toBe(1);
  expect(await functionLogsStore.sweepOld(database, { level: "debug", ms: 0 }, 1_000)).toBeGreaterThan(0);
  expect(await messages()).toEqual(["warn", "last"]);
  expect(await functionLogsStore.sweepMany(database, 1, 1_000)).toBeGreaterThan(0);
  expect(await messages()).toEqual(["last"]);
  expect(await functionLogsStore.sweepMany(database, 1, 1_000)).toBe(0);
});

test("ids grow in the order of commits: whoever writes meanwhile waits", async () => {
  const slow = new pg.Client({ connectionString: app.databaseUrl });
  await slow.connect();
  try {
    await slow.query("begin");
    await slow.query("select pg_advisory_xact_lock(5432105, 3)");
    await slow.query(
      "insert into mainstay.function_logs (at, level, function_name, invocation_id, request_id, message) values (now(), 1, 'swept', 'x', 'x', 'slow')",
    );
    const put = functionLogsStore.put(database, [row({ message: "quick" })]);
    await expect
      .poll(
        async () =>
          (await app.sql("select from pg_locks where locktype = 'advisory' and not granted and objid = 3")).length,
      )
      .toBe(1);
    await slow.query("commit");
    await put;
    expect((await messages()).slice(-2)).toEqual(["slow", "quick"]);
  } finally {
    await slow.end();
  }
});

test("nobody but the server reads them", async () => {
  for (const role of ["anon", "authenticated", "service_role"]) {
    await expect(
      app.sql(`begin; set local role ${role}; select from mainstay.function_logs`).finally(() => app.sql("rollback")),
    ).rejects.toMatchObject({ code: "42501" });
  }
});
