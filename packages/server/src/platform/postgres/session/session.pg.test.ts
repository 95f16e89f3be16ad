import fc from "fast-check";
import pg from "pg";
import { describe, expect, test } from "vitest";
import { Problem } from "../../../kernel/problem.ts";
import { one, read, slow, useDatabase, write } from "./testing.ts";
import { DatabaseError } from "./types.ts";

const database = useDatabase("create table things (id int primary key, name text)");

describe("one flight", () => {
  test("gives the statement's rows and its command tag, not the prologue's", async () => {
    const session = await database.session();
    const { rows, commandTag } = await session.fly(read("select 1, null, 'ü'"));
    expect(rows.map((row) => row.map((field) => field?.toString() ?? null))).toEqual([["1", null, "ü"]]);
    expect(commandTag).toBe("SELECT 1");
  });

  test("runs in one transaction: a failing statement undoes what the flight wrote", async () => {
    const session = await database.session();
    const insert = "with w as (insert into things values ($1::int, 'half')) select 1 / $2::int";
    await expect(session.fly(write(insert, ["1", "0"]))).rejects.toThrow("division by zero");
    expect(await one(session, read("select count(*) from things"))).toBe("0");
  });

  test("isRolledBack answers with rows and leaves nothing", async () => {
    const session = await database.session();
    const flight = { ...write("insert into things values (2, 'dry') returning name"), isRolledBack: true };
    expect(await one(session, flight)).toBe("dry");
    expect(await one(session, read("select count(*) from things"))).toBe("0");
  });

  test("an error carries PostgreSQL's fields", async () => {
    const session = await database.session();
    await session.fly(write("insert into things values (3, 'x')"));
    const error = await session.fly(write("insert into things values (3, 'y')")).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(DatabaseError);
    expect(error).toMatchObject({
      sqlstate: "23505",
      severity: "ERROR",
      table: "things",
      constraint: "things_pkey",
      detail: "Key (id)=(3) already exists.",
    });
    await session.fly(write("delete from things"));
  });

  test("a statement of another lane's kind is still one flight: the settings do not stay on the connection", async () => {
    const session = await database.session({ readConnections: 1 });
    await session.fly(read("select 1", [], "postgres", '{"sub":"alice"}'));
    const left = await session.fly({ ...read("select current_setting('request.jwt.claims', true)"), prologue: [] });
    expect(left.rows[0]?.[0]?.toString() ?? "").toBe("");
  });
});

test("the codec agrees with pg on any text", async () => {
  const session = await database.session();
  const client = new pg.Client({ connectionString: database.url() });
  await client.connect();
  const text = fc.string({ unit: "grapheme", maxLength: 400 }).filter((value) => !value.includes("\0"));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.option(text), { minLength: 1, maxLength: 12 }), async (values) => {
      const sql = `select ${values.map((_, i) => `$${i + 1}::text`).join(", ")}`;
      const ours = await session.fly(read(sql, values));
      const theirs = await client.query({ text: sql, values, rowMode: "array" });
      expect(ours.rows[0]!.map((field) => field?.toString("utf8") ?? null)).toEqual(theirs.rows[0]);
    }),
    { numRuns: 200 },
  );
  await client.end();
});

test("a value of many megabytes survives both ways", async () => {
  const session = await database.session();
  const large = "äé".repeat(4_000_000);
  expect(await one(session, read("select $1::text", [large]))).toBe(large);
});

describe("many flights on one connection", () => {
  test("an error skips no further than its own flight", async () => {
    const session = await database.session({ readConnections: 1 });
    const answers = await Promise.allSettled(
      Array.from({ length: 300 }, (_, i) =>
        i % 3 === 1
          ? one(session, read("select 1 / ($1::int - $1::int)", [String(i)]))
          : one(session, read("select $1::int * 2", [String(i)])),
      ),
    );
    answers.forEach((answer, i) => {
      if (i % 3 === 1) expect(answer).toMatchObject({ status: "rejected", reason: { sqlstate: "22012" } });
      else expect(answer).toEqual({ status: "fulfilled", value: String(i * 2) });
    });
    expect(session.stats().connections).toBe(1);
  });

  test("a statement that fails to prepare harms nobody who relied on it", async () => {
    const session = await database.session({ readConnections: 1 });
    // All are written before the first fails: the others bind a statement that never came to be.
    const wrong = await Promise.allSettled(
      Array.from({ length: 20 }, () => session.fly(read("select nowhere from things"))),
    );
    for (const answer of wrong) expect(answer).toMatchObject({ reason: { sqlstate: "42703" } });
    // A prologue that fails skips the Parse of the statement behind it.
    const mixed = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) =>
        one(session, read("select 'fine'", [], i === 0 ? "no_such_role" : "postgres")),
      ),
    );
    expect(mixed[0]).toMatchObject({ reason: { sqlstate: "22023" } });
    for (const answer of mixed.slice(1)) expect(answer).toEqual({ status: "fulfilled", value: "fine" });
  });

  test("prepared statements are bounded, and the evicted ones closed on the server", async () => {
    const session = await database.session({ readConnections: 1, statementCacheSize: 10 });
    for (let i = 0; i < 50; i++) expect(await one(session, read(`select ${i} as n`))).toBe(String(i));
    const open = Number(await one(session, read("select count(*) from pg_prepared_statements")));
    expect(open).toBeLessThanOrEqual(12);
  });

  test("a changed table is planned anew, and a changed result type does not surface", async () => {
    const session = await database.session();
    await session.fly(write("create table shifting (a int)"));
    await session.fly(write("insert into shifting values (1)"));
    expect(await one(session, read("select * from shifting"))).toBe("1");
    await session.fly(write("alter table shifting alter a type text using 'was ' || a"));
    expect(await one(session, read("select * from shifting"))).toBe("was 1");
  });
});

test("without prepared statements (a pooler in transaction mode) nothing stays on the server", async () => {
  const session = await database.session({ readConnections: 1, preparedStatements: false });
  for (let i = 0; i < 5; i++) expect(await one(session, read("select $1::text", [String(i)]))).toBe(String(i));
  expect(await one(session, read("select count(*) from pg_prepared_statements"))).toBe("0");
});

describe("limits", () => {
  test("a full queue refuses with 503 and Retry-After", async () => {
    const session = await database.session({ slowConnections: 1, queueLimit: 2 });
    await session.fly(slow("select 1"));
    const answers = await Promise.allSettled(
      Array.from({ length: 6 }, () => session.fly(slow("select pg_sleep(0.3)"))),
    );
    const refused = answers.filter((answer) => answer.status === "rejected").map((answer) => answer.reason as Problem);
    expect(refused.length).toBeGreaterThanOrEqual(3);
    for (const problem of refused) {
      expect(problem).toBeInstanceOf(Problem);
      expect(problem).toMatchObject({ code: "postgres/busy", status: 503, headers: { "Retry-After": "1" } });
    }
  });

  test("a wait beyond the queue timeout is answered 504", async () => {
    const session = await database.session({ slowConnections: 1, queueTimeoutMs: 200 });
    const long = session.fly(slow("select pg_sleep(1.5)"));
    await expect(session.fly(slow("select 1"))).rejects.toMatchObject({ code: "postgres/busy", status: 504 });
    await long;
  });

  test("statement_timeout set in the prologue bounds the statement of the same flight (B11)", async () => {
    const session = await database.session();
    const flight = {
      ...slow("select pg_sleep(10)"),
      prologue: [{ text: "select set_config('statement_timeout', $1, true)", values: ["150ms"] }],
    };
    await expect(session.fly(flight)).rejects.toMatchObject({ sqlstate: "57014" });
  });
});

describe("a caller who leaves", () => {
  test("ends its statement on the server, and the connection serves on", async () => {
    const session = await database.session({ slowConnections: 1 });
    const leaving = new AbortController();
    const abandoned = session.fly({ ...slow("select pg_sleep(30)"), signal: leaving.signal });
    abandoned.catch(() => {});
    await expect
      .poll(
        async () =>
          (
            await database
              .admin()
              .query("select 1 from pg_stat_activity where query like 'select pg_sleep(30%' and state = 'active'")
          ).rowCount,
      )
      .toBe(1);
    leaving.abort();
    await expect(abandoned).rejects.toMatchObject({ code: "postgres/cancelled" });
    expect(await one(session, slow("select 'next'"))).toBe("next");
  });

  test("before it was written, is never run", async () => {
    const session = await database.session({ slowConnections: 1 });
    const first = session.fly(slow("select pg_sleep(0.3)"));
    const leaving = new AbortController();
    const dropped = session.fly({ ...slow("insert into things values (77, 'never')"), signal: leaving.signal });
    leaving.abort();
    await expect(dropped).rejects.toMatchObject({ code: "postgres/cancelled" });
    await first;
    expect(await one(session, slow("select count(*) from things where id = 77"))).toBe("0");
  });
});

describe("streams", () => {
  test("200,000 rows pass through bounded memory", async () => {
    const session = await database.session();
    const rows = await session.stream(slow("select n, repeat('x', 200) from generate_series(1, 200000) n"));
    globalThis.gc?.();
    const before = process.memoryUsage().rss;
    let count = 0;
    let most = 0;
    for await (const row of rows) {
      count++;
      if (count % 20_000 === 0) {
        expect(row[0]!.toString()).toBe(String(count));
        most = Math.max(most, process.memoryUsage().rss - before);
        // A slow reader: PostgreSQL has to wait for us.
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
    expect(count).toBe(200_000);
    expect(most).toBeLessThan(64 * 1024 * 1024);
  });

  test("leaving early cancels the statement and frees the connection", async () => {
    const session = await database.session({ slowConnections: 1 });
    for await (const row of await session.stream(slow("select generate_series(1, 100000000)"))) {
      if (row[0]!.toString() === "5") break;
    }
    expect(await one(session, slow("select 'free'"))).toBe("free");
  });

  test("an error before the first row rejects, one after it throws in the loop", async () => {
    const session = await database.session();
    await expect(session.stream(slow("select 1 / 0"))).rejects.toMatchObject({ sqlstate: "22012" });
    const rows = await session.stream(slow("select 1 / (50000 - n) from generate_series(1, 100000) n"));
    await expect(
      (async () => {
        for await (const row of rows) expect(row.length).toBe(1);
      })(),
    ).rejects.toMatchObject({ sqlstate: "22012" });
  });
});
