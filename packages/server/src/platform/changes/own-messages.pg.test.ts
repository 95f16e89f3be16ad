import { afterAll, beforeAll, expect, it } from "vitest";
import { openDatabase } from "../postgres/database.ts";
import { connectReplication } from "../postgres/replication.ts";
import { openChangeLog } from "./log.ts";
import { defaults, LogBench, Witness } from "./testing.ts";
import type { ChangeLog } from "./types.ts";

let bench: LogBench;
/** Two nodes with one key, and a third with another. */
let nodes: ChangeLog[];
let close: () => Promise<void>;

beforeAll(async () => {
  bench = await LogBench.open();
  const connectionString = bench.database.url;
  const db = openDatabase({ connectionString });
  nodes = [1, 1, 2].map((key) =>
    openChangeLog({
      database: db,
      connect: () => connectReplication({ connectionString }),
      settings: defaults,
      observe: (one) => void bench.seen.push(one),
      messageKey: Buffer.alloc(32, key),
    }),
  );
  close = async () => {
    for (const node of nodes) await node.close();
    await db.close();
    await bench.close();
  };
});
afterAll(() => close());

it("R07 what a role without rights writes as a server's message is no message; what servers with the key write is", async () => {
  const [first, second, stranger] = nodes as [ChangeLog, ChangeLog, ChangeLog];
  const witness = new Witness();
  await second.follow(witness);
  await bench.sql(`create role nobody_${bench.database.name} nologin`);
  try {
    await bench.sql(`set role nobody_${bench.database.name}`);
    for (const isTransactional of [true, false]) {
      for (const prefix of ["mainstay.broadcast", "mainstay.presence", "mainstay.resume"]) {
        await bench.sql(`select pg_logical_emit_message(${isTransactional}, '${prefix}', 'forged')`);
        await bench.sql(`select pg_logical_emit_message(${isTransactional}, '${prefix}', repeat('x', 500))`);
      }
    }
    await bench.sql("select pg_logical_emit_message(true, 'theirs', 'of an app')");
  } finally {
    await bench.sql(`reset role`);
    await bench.sql(`drop role nobody_${bench.database.name}`);
  }
  await stranger.emit("mainstay.broadcast", Buffer.from("of a stranger"), { isUrgent: true });
  await first.emit("mainstay.broadcast", Buffer.from("of the first"), { isUrgent: true });
  await second.emit("mainstay.presence", Buffer.from("its own"), { isUrgent: true });
  await expect.poll(() => witness.messages.length).toBe(3);
  expect(witness.messages.map(({ prefix, content }) => [prefix, content.toString()])).toEqual([
    ["theirs", "of an app"],
    ["mainstay.broadcast", "of the first"],
    ["mainstay.presence", "its own"],
  ]);
  expect(bench.seen.filter((one) => one.kind === "warning")).toMatchObject([
    { area: "log", message: expect.stringContaining("not written by it") },
  ]);
});
