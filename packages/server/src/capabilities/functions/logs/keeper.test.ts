import { compile, type SQL } from "pg-sql2";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { readSettings, type Values } from "../../../kernel/settings.ts";
import type { Observation } from "../../../platform/observe/observation.ts";
import type { Invocation, LogLine } from "../types.ts";
import { createLogKeeper } from "./keeper.ts";
import { functionLogsSettings } from "./settings.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const line = (message: string): LogLine => ({
  invocationId: "i",
  functionName: "f",
  level: "info",
  message,
  fields: {},
  atMs: 1,
});
const invocation = { id: "i", functionName: "f" } as Invocation;

/** Writes into a list, as long as `fails` says nothing. */
function open(given: Partial<Values<typeof functionLogsSettings>> = {}) {
  const written: string[][] = [];
  const said: string[] = [];
  const state: { fails: Error | null; nowMs: number } = { fails: null, nowMs: 0 };
  const { values: settings } = readSettings(functionLogsSettings, { env: {}, flags: given });
  const query = async <R>(statement: SQL): Promise<readonly R[]> => {
    if (state.fails !== null) throw state.fails;
    // Texts of a batch: functions, invocations, requests, messages, fields.
    const lists = compile(statement).values.filter(Array.isArray) as unknown[][];
    written.push(lists.at(-2) as string[]);
    return [];
  };
  const keeper = createLogKeeper({
    db: { query, background: { query } },
    settings,
    observe: (one: Observation) => void (one.kind === "warning" && said.push(one.message)),
    clock: { nowMs: () => state.nowMs },
  });
  return { keeper, written, said, state };
}

test("writes what comes within a while together, in its order", async () => {
  const { keeper, written } = open();
  for (let n = 0; n < 2_500; n++) keeper.line(line(`${n}`));
  expect(written).toEqual([]);
  await vi.advanceTimersByTimeAsync(500);
  expect(written.map(({ length }) => length)).toEqual([1_000, 1_000, 500]);
  expect(written.flat()).toEqual(Array.from({ length: 2_500 }, (_, n) => `${n}`));
  await keeper.stop();
});

test("B10 has a bound: what does not fit is dropped, and the log says how much", async () => {
  const { keeper, written, said } = open({ functionsLogsQueueBytes: 65_536 });
  for (let n = 0; n < 1_000; n++) keeper.line(line("x".repeat(1_000)));
  await vi.advanceTimersByTimeAsync(500);
  const [batch] = written;
  expect(batch!.length).toBeLessThan(60);
  expect(batch!.at(-1)).toBe(
    `${1_000 - (batch!.length - 1)} lines were dropped here: more was logged than could be written.`,
  );
  expect(said).toEqual(["There are more log lines of functions than can be written: some are dropped."]);
  keeper.line(line("room again"));
  await keeper.stop();
  expect(written.at(-1)).toEqual(["room again"]);
});

test("keeps lines while the database is away, and gives up those that it cannot take", async () => {
  const { keeper, written, said, state } = open();
  state.fails = new Error("away");
  keeper.line(line("first"));
  await vi.advanceTimersByTimeAsync(5_000);
  keeper.line(line("second"));
  state.fails = null;
  await vi.advanceTimersByTimeAsync(30_000);
  expect(written).toEqual([["first", "second"]]);
  expect(said).toEqual(["Log lines of functions could not be written: away"]);
  state.fails = Object.assign(new Error("no such value"), { code: "22P05" });
  keeper.line(line("third"));
  await vi.advanceTimersByTimeAsync(500);
  state.fails = null;
  keeper.line(line("fourth"));
  await keeper.stop();
  expect(written.at(-1)).toEqual(["fourth", expect.stringContaining("1 line was dropped")]);
});

test("keeps the end of what fails, is slow or has said something, and of others so many in a second", async () => {
  const { keeper, written, state } = open({ functionsLogsQuietPerSecond: 2 });
  const quiet = { status: 200, durationMs: 1, error: null, logLines: 0 };
  for (let n = 0; n < 10; n++) keeper.end(invocation, quiet);
  keeper.end(invocation, { ...quiet, error: new Error("failed") });
  keeper.end(invocation, { ...quiet, durationMs: 1_000 });
  keeper.end(invocation, { ...quiet, logLines: 1 });
  keeper.end(invocation, { ...quiet, status: 503 });
  state.nowMs = 1_000;
  keeper.end(invocation, quiet);
  await keeper.stop();
  expect(written[0]).toHaveLength(7);
});

test("keeps nothing where nothing is to be kept", async () => {
  const { keeper, written } = open({ functionsLogs: false });
  keeper.line(line("x"));
  await keeper.stop();
  expect(written).toEqual([]);
});
