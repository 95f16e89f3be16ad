import { templateDatabase, testDatabase } from "@mainstay/testing";
import { sql } from "pg-sql2";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { servicePrincipal } from "../../identity/service.ts";
import { externalApiLogin } from "../api-login.ts";
import { asCaller } from "../caller.ts";
import { type Database, openDatabase } from "../database.ts";
import { parseConnectionUrl, pgConfigOf } from "../external/index.ts";
import type { ConnectionTarget } from "../session/index.ts";
import { type GuestLimits, type Guests, type GuestTransaction, openGuests } from "./index.ts";

const limits: GuestLimits = { connections: 4, waitMs: 2_000, idleMs: 5_000, statementMs: 5_000, rowsBytes: 100_000 };
const alice = "00000000-0000-4000-8000-00000000000a";
const bob = "00000000-0000-4000-8000-00000000000b";

let database: Database;
let target: ConnectionTarget;
let guests: Guests;
let drop: () => Promise<void>;

beforeAll(async () => {
  const made = await testDatabase(await templateDatabase());
  drop = () => made.drop();
  const administrator = parseConnectionUrl(`${made.url}?sslmode=disable`);
  database = openDatabase(pgConfigOf(administrator));
  target = await externalApiLogin(administrator, () => {});
  expect(target.user).toBe("authenticator");
  await database.query(
    sql`create table public.notes (id bigint generated always as identity primary key, owner uuid not null default auth.uid(), text text)`,
  );
  await database.query(sql`alter table public.notes enable row level security`);
  await database.query(
    sql`create policy own on public.notes using (owner = auth.uid()) with check (owner = auth.uid())`,
  );
  await database.query(sql`grant all on public.notes to authenticated, anon, service_role`);
  await database.query(sql`create table public.secrets (text text)`);
  await database.query(sql`revoke all on public.secrets from anon, authenticated, service_role`);
  guests = openGuests({ target, database, limits });
});
afterAll(async () => {
  await guests?.close();
  await database?.close();
  await drop?.();
});

const user = (id: string) => {
  const claims = { sub: id, role: "authenticated" };
  return asCaller({
    role: "authenticated",
    claims,
    claimsJson: JSON.stringify(claims),
    subject: id,
    isAuthenticated: true,
    expiresAtMs: Number.POSITIVE_INFINITY,
  });
};

async function within<T>(work: (tx: GuestTransaction) => Promise<T>, prologue = user(alice), of = guests): Promise<T> {
  const tx = await of.begin(prologue);
  try {
    const value = await work(tx);
    await tx.commit();
    return value;
  } finally {
    await tx.rollback();
  }
}

const one = (text: string, values: readonly (string | null)[] = []) =>
  within(async (tx) => (await tx.query(text, values))[0]);

describe("who it acts for", () => {
  test("B04 the caller's row level security holds, and the next one finds nothing of it", async () => {
    await within((tx) => tx.query("insert into public.notes (text) values ($1)", ["alice's"]));
    await within((tx) => tx.query("insert into public.notes (text) values ($1)", ["bob's"]), user(bob));
    const texts = (prologue: ReturnType<typeof user>) =>
      within((tx) => tx.query("select text from public.notes", []), prologue);
    expect(await texts(user(alice))).toEqual([{ text: "alice's" }]);
    expect(await texts(user(bob))).toEqual([{ text: "bob's" }]);
    expect(await texts(asCaller(servicePrincipal()))).toHaveLength(2);
  });

  test("B03 nobody becomes more than the API's login may: no owner, no superuser", async () => {
    await within(async (tx) => {
      await tx.query("reset role", []);
      expect(await tx.query("select current_user::text as name", [])).toEqual([{ name: "authenticator" }]);
      await expect(tx.query("select * from public.secrets", [])).rejects.toMatchObject({ code: "42501" });
    }).catch((error: { code: string }) => expect(error.code).toBe("transaction/over"));
    for (const statement of [
      "set role postgres",
      "set session authorization postgres",
      "copy (select 1) to program 'true'",
    ]) {
      await expect(one(statement)).rejects.toMatchObject({ code: "42501" });
    }
  });

  test("B04 whatever a guest leaves on a connection is gone for the next", async () => {
    const single = openGuests({ target, database, limits: { ...limits, connections: 1 } });
    try {
      const pid = await within(
        async (tx) => {
          await tx.query("set role service_role", []);
          await tx.query(
            "select set_config('app.tenant', 'alice', false), set_config('search_path', 'evil', false)",
            [],
          );
          await tx.query("create temp table notes as select 'stolen' as text", []);
          await tx.query("select pg_advisory_lock(42)", []);
          await tx.query("listen gossip", []);
          return (await tx.query("select pg_backend_pid() as pid", []))[0]!.pid;
        },
        user(alice),
        single,
      );
      const found = await within(
        async (tx) =>
          (
            await tx.query(
              `select pg_backend_pid() as pid, current_user::text as role, current_setting('app.tenant', true) as tenant, current_setting('search_path') as path,
                 to_regclass('pg_temp.notes')::text as temp, (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) as locks,
                 (select count(*) from pg_listening_channels()) as channels`,
              [],
            )
          )[0]!,
        user(bob),
        single,
      );
      expect(found).toMatchObject({ pid, role: "authenticated", temp: null, locks: 0, channels: 0 });
      expect(found.tenant ?? "").toBe("");
      expect(found.path).not.toContain("evil");
    } finally {
      await single.close();
    }
  });
});

describe("statements", () => {
  test("one at a time, and none that begins or ends the transaction", async () => {
    await expect(one("select 1; select 2")).rejects.toMatchObject({ code: "42601" });
    for (const text of [
      "commit",
      "/* a /* b */ */ COMMIT",
      "-- x\n rollback",
      "end",
      "abort",
      "begin",
      "start transaction",
      "; commit and chain",
      "prepare transaction 'x'",
      "rollback work",
    ]) {
      await expect(one(text)).rejects.toMatchObject({ code: "transaction/control" });
    }
  });

  test("savepoints take back a part", async () => {
    const rows = await within(async (tx) => {
      await tx.query("create temp table t (a int)", []);
      await tx.query("savepoint before", []);
      await expect(tx.query("insert into t values ('x')", [])).rejects.toMatchObject({ code: "22P02" });
      await tx.query("rollback to savepoint before", []);
      await tx.query("insert into t values ($1)", ["1"]);
      return tx.query("select a from t", []);
    });
    expect(rows).toEqual([{ a: 1 }]);
  });

  test("B01 values are parameters only", async () => {
    expect(await one("select $1::text as text", ["'; drop table public.notes; --"])).toEqual({
      text: "'; drop table public.notes; --",
    });
  });

  test("errors carry what PostgreSQL says", async () => {
    const error = await one("insert into public.notes (owner) values ($1)", [bob]).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "42501", message: expect.stringContaining("row-level security") });
    const unique = await within(async (tx) => {
      await tx.query("create temp table u (a int unique)", []);
      await tx.query("insert into u values (1)", []);
      await tx.query("insert into u values (1)", []);
    }).catch((thrown: unknown) => thrown);
    expect(unique).toMatchObject({ code: "23505", detail: "Key (a)=(1) already exists." });
  });

  test("after one has failed a commit says so, and nothing is kept", async () => {
    const tx = await guests.begin(user(alice));
    await tx.query("insert into public.notes (text) values ('half')", []);
    await expect(tx.query("select 1 / 0", [])).rejects.toMatchObject({ code: "22012" });
    await expect(tx.commit()).rejects.toMatchObject({ code: "transaction/over" });
    expect(await one("select count(*) as n from public.notes where text = 'half'")).toEqual({ n: 0 });
  });
});

test("rows are as to_jsonb has them, and no number is bent", async () => {
  await database.query(sql`create type public.mood as enum ('glad')`);
  await database.query(sql`create type public.pair as (a int, b text)`);
  const expressions = [
    "true",
    "1::int2",
    "2147483647",
    "9007199254740991::int8",
    "1.5::float4",
    "0.1::float8",
    "0.1::numeric",
    "120.50::numeric",
    "'x'::text",
    "'x'::varchar",
    "'ab'::bpchar",
    "'2026-11-22'::date",
    "'2026-11-22 10:00:00.123456'::timestamp",
    "'2026-11-22 10:00:00+00'::timestamptz",
    "'infinity'::timestamptz",
    "'10:00:00'::time",
    "interval '1 day 2:03'",
    "'00000000-0000-4000-8000-00000000000a'::uuid",
    "'\\xdeadbeef'::bytea",
    "'127.0.0.1'::inet",
    "'{\"a\":[1,null]}'::json",
    "'{\"b\":1}'::jsonb",
    "'null'::jsonb",
    "null::int",
    "array[1,2]",
    "array['a b','c\"d',null]",
    "array[[1,2],[3,4]]",
    "row(1,'x')::public.pair",
    "array[row(1,'x')::public.pair]",
    "'glad'::public.mood",
    "int4range(1,5)",
    "'a=>1'::text",
    "'NaN'::float8",
    "'Infinity'::numeric",
  ];
  for (const expression of expressions) {
    const row = await one(`select ${expression} as v, to_jsonb(x) as j from (select ${expression} as v) x`);
    expect([expression, row!.v]).toEqual([expression, (row!.j as { v: unknown }).v]);
  }
  expect(
    await one(
      "select 9223372036854775807 as a, 12345678901234567890.123 as b, '{\"c\":[9007199254740993]}'::jsonb as c, array[9007199254740993] as d",
    ),
  ).toEqual({
    a: "9223372036854775807",
    b: "12345678901234567890.123",
    c: { c: ["9007199254740993"] },
    d: ["9007199254740993"],
  });
  expect(Object.hasOwn((await one('select 1 as "__proto__"'))!, "__proto__")).toBe(true);
});

describe("bounds", () => {
  test("rows that take too much room end it, and the server keeps none of them", async () => {
    const tx = await guests.begin(user(alice));
    await expect(tx.query("select repeat('x', 1000) from generate_series(1, 100000)", [])).rejects.toMatchObject({
      code: "transaction/too-large",
    });
    await expect(tx.query("select 1", [])).rejects.toMatchObject({ code: "transaction/over" });
  });

  test("a transaction with nothing asked of it is rolled back", async () => {
    const hasty = openGuests({ target, database, limits: { ...limits, idleMs: 50 } });
    const tx = await hasty.begin(user(alice));
    await tx.query("insert into public.notes (text) values ('idle')", []);
    await expect
      .poll(
        () =>
          tx.query("select pg_sleep(0)", []).then(
            () => "open",
            (error: { code: string }) => error.code,
          ),
        { interval: 120 },
      )
      .toBe("transaction/over");
    expect(await one("select count(*) as n from public.notes where text = 'idle'")).toEqual({ n: 0 });
    await hasty.close();
  });

  test("only so many are open at once", async () => {
    const few = openGuests({ target, database, limits: { ...limits, connections: 1, waitMs: 50 } });
    // A busy machine may need longer for a connection.
    const tx = await vi.waitFor(() => few.begin(user(alice)), { timeout: 30_000 });
    await expect(few.begin(user(bob))).rejects.toMatchObject({ code: "transaction/busy", status: 503 });
    await tx.rollback();
    await within((next) => next.query("select 1", []), user(bob), few);
    await few.close();
  });

  test("X23 a statement that nobody waits for is ended in the database, whatever it says of its own time", async () => {
    const tx = await guests.begin(user(alice));
    await tx.query("set local statement_timeout = 0", []);
    const [{ pid }] = (await tx.query("select pg_backend_pid() as pid", [])) as [{ pid: number }];
    const sleeping = tx.query("select pg_sleep(600)", []).catch((error: unknown) => error);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await tx.rollback();
    expect(await sleeping).toMatchObject({ code: "transaction/over" });
    await expect
      .poll(async () => (await database.query(sql`select from pg_stat_activity where pid = ${sql.value(pid)}`)).length)
      .toBe(0);
  });

  test("X09 a backend that is ended ends the transaction, and nothing else", async () => {
    const tx = await guests.begin(user(alice));
    const [{ pid }] = (await tx.query("select pg_backend_pid() as pid", [])) as [{ pid: number }];
    await database.query(sql`select pg_terminate_backend(${sql.value(pid)})`);
    await expect(tx.query("select 1", [])).rejects.toMatchObject({
      code: expect.stringMatching(/^transaction\/over$|^postgres\/unavailable$|^57P01$/),
    });
    await expect(tx.commit()).rejects.toMatchObject({ code: "transaction/over" });
    await within((next) => next.query("select 1", []));
  });
});

describe("what the server does in it", () => {
  test("runs as its own role, and the guest goes on as whoever it was", async () => {
    await within(async (tx) => {
      const done = tx.server.query<{ id: string }>(sql`select id from mainstay.enqueue_many('[{"name":"greet"}]')`);
      // Asked at the same moment: it must not run in between.
      const name = tx.query("select current_user::text as name", []);
      expect(await done).toHaveLength(1);
      expect(await name).toEqual([{ name: "authenticated" }]);
      await tx.query("set local role service_role", []);
      await tx.server.query(sql`select count(*) from mainstay.jobs`);
      expect(await tx.query("select current_user::text as name", [])).toEqual([{ name: "service_role" }]);
    });
    expect(await database.query(sql`select name from mainstay.jobs`)).toEqual([{ name: "greet" }]);
  });

  test("X11 is there when it commits, and never was when it does not", async () => {
    const tx = await guests.begin(user(alice));
    await tx.server.query(sql`select id from mainstay.enqueue_many('[{"name":"never"}]')`);
    await tx.rollback();
    expect(await database.query(sql`select from mainstay.jobs where name = 'never'`)).toEqual([]);
  });

  test("says when it has committed, and nothing otherwise", async () => {
    const told: string[] = [];
    for (const end of ["commit", "rollback"] as const) {
      const tx = await guests.begin(user(alice));
      tx.server.onCommit!(() => told.push(end));
      await tx.server.query(sql`select`);
      expect(told).not.toContain(end);
      await tx[end]();
    }
    const failed = await guests.begin(user(alice));
    failed.server.onCommit!(() => told.push("failed"));
    await expect(failed.query("select 1 / 0", [])).rejects.toMatchObject({ code: "22012" });
    await expect(failed.commit()).rejects.toMatchObject({ code: "transaction/over" });
    expect(told).toEqual(["commit"]);
  });

  test("callers may not do it themselves", async () => {
    await expect(one("select * from mainstay.enqueue_many('[]')")).rejects.toMatchObject({ code: "42501" });
    await expect(one("select * from mainstay.jobs")).rejects.toMatchObject({ code: "42501" });
  });
});
