import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../postgres/database.ts";
import { type Bench, openBench } from "../postgres/migrate/testing.ts";
import { connectReplication } from "../postgres/replication.ts";
import { openChangeLog } from "./log.ts";
import { defaults, Witness } from "./testing.ts";
import type { ChangeLog } from "./types.ts";

let bench: Bench;
let log: ChangeLog;
const heard: string[] = [];
beforeEach(async () => {
  bench = await openBench();
  heard.length = 0;
  log = openChangeLog({
    database: bench.database,
    connect: () => connectReplication({ connectionString: bench.url }),
    settings: defaults,
    observe: () => {},
  });
});
afterEach(async () => {
  await log.close();
  await bench.close();
});

/** Follows, and hears of rows and of changes of the schema in the order they come. */
async function follow(): Promise<void> {
  log.onSchemaChange(() => void heard.push("schema"));
  const witness = new Witness();
  witness.onEntry = (entry) => {
    if (entry.kind === "batch") for (const { new: row } of entry.changes) heard.push(String(row));
    else heard.push(entry.prefix);
  };
  await log.follow(witness);
}

async function settled(): Promise<void> {
  await log.emit("mark", Buffer.alloc(0), { isUrgent: true });
  await expect.poll(() => heard.at(-1)).toBe("mark");
}

const table = `create table public.rooms (id int primary key, owner uuid); alter publication supabase_realtime add table public.rooms`;

describe("a migrated database", () => {
  it("tells in the log of every change of its schema, whoever makes it, and of nothing temporary", async () => {
    await bench.up();
    await bench.rows(table);
    await follow();
    const changes = [
      "alter table public.rooms enable row level security",
      "create policy own on public.rooms using (owner = (select auth.uid()))",
      "alter policy own on public.rooms using (true)",
      "grant select (id) on public.rooms to anon",
      "drop policy own on public.rooms",
      "set role postgres; create table public.other (id int); reset role",
      "create function public.f() returns int language sql as 'select 1'",
      "drop table public.other",
    ];
    for (const [at, change] of changes.entries()) {
      await bench.rows(change);
      await bench.rows(`insert into public.rooms values (${at}, null)`);
    }
    await bench.rows("create temp table brief (id int); drop table brief; insert into public.rooms values (100, null)");
    await settled();
    const expected = changes.flatMap((_, at) => ["schema", `${at},`]);
    expect(heard).toEqual([...expected, "100,", "mark"]);
  });

  it("may change its schema as somebody who may not write into the log", async () => {
    await bench.up();
    await bench.rows(table);
    await bench.rows(`do $$ declare f record; begin
      for f in select oid::regprocedure as name from pg_proc where proname = 'pg_logical_emit_message' loop
        execute 'revoke execute on function ' || f.name || ' from public';
      end loop; end $$`);
    await bench.rows("grant create on schema public to authenticated");
    await bench.rows("set role authenticated; create table public.mine (id int)");
    await bench.rows("set role authenticated; drop table public.mine; create table public.mine (id int)");
    expect(await bench.rows("select 1 as one from pg_class where relname = 'mine'")).toHaveLength(1);
  });

  it("has a publication for policies, which its migration role owns, and a table nobody reads", async () => {
    await bench.up();
    expect(
      await bench.rows(
        `select pubname, pg_get_userbyid(pubowner) as owner, puballtables as all from pg_publication order by 1`,
      ),
    ).toContainEqual({
      pubname: "mainstay_policies",
      owner: "postgres",
      all: false,
    });
    await expect(bench.rows("set role service_role; select * from mainstay.log_slots")).rejects.toThrow(
      /permission denied/,
    );
  });

  it("without event triggers tells of a change when the table is written next", async () => {
    await bench.up();
    await bench.rows("drop event trigger mainstay_announce_ddl; drop event trigger mainstay_announce_drop");
    await bench.rows(table);
    await follow();
    await bench.rows("insert into public.rooms values (1, null)");
    await bench.rows("create policy own on public.rooms using (true)");
    await bench.rows("insert into public.rooms values (2, null)");
    await settled();
    expect(heard).toEqual(["1,", "schema", "2,", "mark"]);
  });

  it("R12 hears of the schema from its own triggers only, whoever changes it", async () => {
    await bench.up();
    const role = `maker_${Math.random().toString(36).slice(2)}`;
    await bench.rows(`create role ${role} nologin; grant create, usage on schema public to ${role}`);
    const heard: string[] = [];
    const stop = log.onSchemaChange(() => void heard.push("schema"));
    const settled = async () => {
      const witness = new Witness();
      const following = await log.follow(witness);
      await log.emit("mark", Buffer.alloc(0), { isUrgent: true });
      await expect.poll(() => witness.messages.length).toBe(1);
      following.stop();
    };
    try {
      await settled();
      heard.length = 0;
      await bench.rows(`begin; set local role ${role}; create table public.made (id int); commit`);
      await settled();
      expect(heard).toEqual(["schema"]);
      await bench.rows(`begin; set local role ${role}; drop table public.made; commit`);
      await settled();
      expect(heard).toEqual(["schema", "schema"]);
      // Anybody can write that; nobody can read what has to be written.
      for (const word of ["", "schema", "'"]) {
        await bench.rows(
          `begin; set local role ${role}; select pg_logical_emit_message(true, 'mainstay.ddl', '${word.replace("'", "''")}'); commit`,
        );
      }
      await expect(bench.rows(`begin; set local role ${role}; select word from mainstay.log_word`)).rejects.toThrow(
        "permission denied",
      );
      await bench.rows("rollback");
      await settled();
      expect(heard).toHaveLength(2);
    } finally {
      stop();
      await bench.rows(`drop owned by ${role}; drop role ${role}`);
    }
  });

  it("is followed by an owner who is no superuser, when that one may replicate", async () => {
    await bench.up();
    await bench.rows(table);
    const role = `log_${Math.random().toString(36).slice(2)}`;
    const url = new URL(bench.url);
    [url.username, url.password] = [role, "p"];
    await bench.rows(`create role ${role} login replication password 'p'; grant postgres to ${role};
      grant select, insert, update on mainstay.log_slots to ${role}`);
    const database = openDatabase({ connectionString: url.href });
    const theirs = openChangeLog({
      database,
      connect: () => connectReplication({ connectionString: url.href }),
      settings: defaults,
      observe: () => {},
    });
    try {
      const witness = new Witness();
      await theirs.follow(witness);
      await bench.rows("insert into public.rooms values (1, null)");
      await theirs.emit("theirs", Buffer.from("x"), { isUrgent: true });
      await expect.poll(() => witness.entries.length).toBe(2);
      expect(witness.changes[0]?.new).toEqual(["1", null]);
    } finally {
      await theirs.close();
      await database.close();
      const client = new pg.Client({ connectionString: bench.url });
      await client.connect();
      await client.query(`drop owned by ${role}; drop role ${role}`);
      await client.end();
    }
  });
});
