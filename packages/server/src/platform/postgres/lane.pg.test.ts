import pg from "pg";
import { sql } from "pg-sql2";
import { afterEach, expect, test } from "vitest";
import { type Lane, openLane } from "./lane.ts";
import { useDatabase } from "./session/testing.ts";

const database = useDatabase("select 1");
const lanes: Lane[] = [];
afterEach(() => Promise.all(lanes.splice(0).map((lane) => lane.close())));

let connections = 0;

/** A lane whose connection counts how many statements it was given at once. */
function open(timeoutMs: number) {
  const seen = { atOnce: 0, most: 0 };
  const lane = openLane(
    {
      async connect() {
        connections += 1;
        const client = new pg.Client({ connectionString: database.url() });
        await client.connect();
        const query = client.query.bind(client) as (text: string, values: unknown[]) => Promise<pg.QueryResult>;
        const counted = async (text: string, values: unknown[]) => {
          seen.atOnce += 1;
          seen.most = Math.max(seen.most, seen.atOnce);
          return query(text, values).finally(() => {
            seen.atOnce -= 1;
          });
        };
        return Object.assign(client, { query: counted as pg.Client["query"] });
      },
    },
    timeoutMs,
  );
  lanes.push(lane);
  return { lane, seen };
}

test("fifty statements at once go over one connection, one after the other, and each gets its own answer", async () => {
  const { lane, seen } = open(30_000);
  const before = connections;
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, n) => lane.query(sql`select ${sql.value(n)}::int as n`)),
  );
  expect(answers).toEqual(Array.from({ length: 50 }, (_, n) => [{ n }]));
  expect([seen.most, connections - before]).toEqual([1, 1]);
});

test("a wrong statement fails alone; those behind it are answered on the same connection", async () => {
  const { lane } = open(30_000);
  const before = connections;
  const [wrong, right] = await Promise.allSettled([lane.query(sql`select 1 / 0`), lane.query(sql`select 2 as n`)]);
  expect(wrong).toMatchObject({ status: "rejected", reason: { code: "22012" } });
  expect(right).toMatchObject({ status: "fulfilled", value: [{ n: 2 }] });
  expect(connections - before).toBe(1);
});

test("a statement without an answer fails at its time, and who comes after gets another connection", async () => {
  const { lane } = open(2_000);
  const before = connections;
  const stuck = lane.query(sql`select pg_sleep(30)`);
  const behind = lane.query(sql`select 2 as n`);
  await expect(stuck).rejects.toMatchObject({ status: 503 });
  await expect(behind).rejects.toMatchObject({ status: 503 });
  expect(await lane.query(sql`select 3 as n`)).toEqual([{ n: 3 }]);
  expect(connections - before).toBeGreaterThan(1);
});

test("closing lets what is under way finish, and refuses what comes after", async () => {
  const { lane } = open(30_000);
  const last = lane.query(sql`select 4 as n from pg_sleep(0.1)`);
  const closed = lane.close();
  expect(await last).toEqual([{ n: 4 }]);
  await closed;
  await expect(lane.query(sql`select 5`)).rejects.toMatchObject({ status: 503 });
});
