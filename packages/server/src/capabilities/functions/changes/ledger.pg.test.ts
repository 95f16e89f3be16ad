import { setTimeout as sleep } from "node:timers/promises";
import { type OwnPostgres, openOwnPostgres } from "@mainstay/testing";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrateOwn } from "./migrate-own.testing.ts";
import { ChangesBench, type ChangesNode, handler } from "./testing.ts";

// A server of their own: it is restarted under them.
let postgres: OwnPostgres;
let bench: ChangesBench;
beforeAll(async () => {
  postgres = await openOwnPostgres();
  await migrateOwn(postgres.url);
  bench = await ChangesBench.on(postgres.url);
}, 120_000);
afterAll(async () => {
  await bench?.close();
  await postgres?.stop();
});

/** Resolves when PostgreSQL is back. */
async function up(): Promise<void> {
  for (;;) {
    const client = new pg.Client({ connectionString: postgres.url });
    client.on("error", () => {});
    try {
      await client.connect();
      return await client.end();
    } catch {
      await sleep(50);
    }
  }
}

test("R13 X11 over restarts of PostgreSQL and of both servers every commit becomes one job, and each row's are in order", async () => {
  let nodes: ChangesNode[] = [await bench.node(), await bench.node()];
  for (const node of nodes) await node.changes.apply([handler({ name: "all" })]);
  const written: string[] = [];
  let isOver = false;
  const writer = (async () => {
    let client: pg.Client | null = null;
    for (let n = 0; !isOver; n++) {
      const id = n % 20;
      const mark = `m${n}`;
      try {
        if (client === null) {
          client = new pg.Client({ connectionString: postgres.url });
          client.on("error", () => {});
          await client.connect();
        }
        await client.query(
          "insert into entries values ($1, $2) on conflict (id) do update set status = excluded.status",
          [id, mark],
        );
        written.push(mark);
      } catch {
        // Whether it was committed is in the table's history only: marks that were not acknowledged may be there or not.
        client = null;
        await sleep(50);
      }
      await sleep(2);
    }
    await client?.end();
  })();
  for (let round = 0; round < 3; round++) {
    await sleep(700);
    process.kill(postgres.pid(), round % 2 === 0 ? "SIGINT" : "SIGQUIT");
    await sleep(700);
    await nodes[0]!.close();
    await up();
    const fresh = await bench.node();
    await fresh.changes.apply([handler({ name: "all" })]);
    nodes = [nodes[1]!, fresh];
  }
  await sleep(300);
  isOver = true;
  await writer;
  const reader = new pg.Client({ connectionString: postgres.url });
  await reader.connect();
  const marks = async () => {
    const { rows } = await reader.query<{ key: string; mark: string; id: string }>(
      "select order_key as key, payload -> 'row' ->> 'status' as mark, payload ->> 'id' as id from mainstay.jobs order by place",
    );
    return rows;
  };
  await expect
    .poll(
      async () => {
        const seen = new Set((await marks()).map(({ mark }) => mark));
        return written.filter((mark) => !seen.has(mark)).length;
      },
      { timeout: 40_000, interval: 200 },
    )
    .toBe(0);
  const jobs = await marks();
  await reader.end();
  expect(written.length).toBeGreaterThan(100);
  expect(new Set(jobs.map(({ id }) => id)).size).toBe(jobs.length);
  expect(new Set(jobs.map(({ mark }) => mark)).size).toBe(jobs.length);
  for (const [, ofRow] of Map.groupBy(jobs, ({ key }) => key)) {
    const numbers = ofRow.map(({ mark }) => Number(mark.slice(1)));
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  }
  expect(bench.seen.filter(({ kind }) => kind === "functions.changes-missed")).toEqual([]);
}, 90_000);
