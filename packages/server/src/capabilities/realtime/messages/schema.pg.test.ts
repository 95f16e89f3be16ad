import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../../platform/postgres/database.ts";
import { type Bench, openBench } from "../../../platform/postgres/migrate/testing.ts";

let bench: Bench;
let client: pg.Client;
let notices: string[] = [];

beforeEach(async () => {
  bench = await openBench();
  client = new pg.Client({ connectionString: bench.url });
  client.on("notice", ({ message }) => notices.push(message ?? ""));
  await client.connect();
  notices = [];
});
afterEach(async () => {
  await client.end();
  await bench.close();
});

const rows = async (text: string): Promise<Record<string, unknown>[]> => {
  const result = await client.query(text);
  return (Array.isArray(result) ? result.at(-1) : result).rows;
};
const messages = () =>
  rows(
    "select topic, extension, event, payload, private, binary_payload from realtime.messages order by inserted_at, event",
  );

describe("the schema realtime", () => {
  it("sends with the transaction, or not at all", async () => {
    await bench.up();
    await rows(`begin; select realtime.send('{"a":1}', 'e', 'room'); rollback`);
    expect(await messages()).toEqual([]);
    await rows(`select realtime.send('{"a":1}', 'e', 'room')`);
    const [sent] = await rows("select id::text, payload from realtime.messages");
    expect(sent).toEqual({ id: expect.any(String), payload: { a: 1, id: sent?.id } });
    expect(await messages()).toMatchObject([{ topic: "room", extension: "broadcast", event: "e", private: true }]);
  });

  it("leaves an id, and a payload that is no object, as they are", async () => {
    await bench.up();
    await rows(
      `select realtime.send('{"id":7}', '1', 'r', false), realtime.send('[1]', '2', 'r', null), realtime.send(null, '3', 'r')`,
    );
    expect((await messages()).map(({ payload, private: isPrivate }) => [payload, isPrivate])).toEqual([
      [{ id: 7 }, false],
      [[1], true],
      [null, true],
    ]);
  });

  it("sends bytes", async () => {
    await bench.up();
    await rows(`select realtime.send_binary('\\x00ff', 'e', 'r')`);
    expect(await messages()).toMatchObject([{ payload: null, binary_payload: Buffer.from([0, 255]) }]);
  });

  it("tells of each change of a row, for triggers", async () => {
    await bench.up();
    await rows(`
      create table public.todos (id int primary key, title text);
      create function public.tell() returns trigger language plpgsql as $$ begin
        perform realtime.broadcast_changes('todos:' || coalesce(new.id, old.id), tg_op, tg_op, tg_table_name, tg_table_schema, new, old);
        return null;
      end $$;
      create trigger tell after insert or update or delete on public.todos for each row execute function public.tell();
    `);
    // Each in a transaction of its own, so that their times tell them apart.
    for (const change of [
      "insert into public.todos values (1, 'a')",
      "update public.todos set title = 'b'",
      "delete from public.todos",
    ]) {
      await rows(change);
    }
    const sent = (await messages()).map(({ payload }) => payload as Record<string, unknown>);
    expect(sent.map(({ id, ...rest }) => rest)).toEqual([
      { schema: "public", table: "todos", operation: "INSERT", record: { id: 1, title: "a" }, old_record: null },
      {
        schema: "public",
        table: "todos",
        operation: "UPDATE",
        record: { id: 1, title: "b" },
        old_record: { id: 1, title: "a" },
      },
      { schema: "public", table: "todos", operation: "DELETE", record: null, old_record: { id: 1, title: "b" } },
    ]);
    await expect(
      rows(
        "select realtime.broadcast_changes('t', 'e', 'INSERT', 'todos', 'public', null::public.todos, null::public.todos, 'STATEMENT')",
      ),
    ).rejects.toMatchObject({ code: "0A000" });
  });

  it("lets policies decide who sends, warns of who may not, and undoes nothing of theirs", async () => {
    await bench.up();
    await rows(`
      create table public.notes (id int);
      grant insert, select on public.notes to authenticated;
      create policy "in lobby" on realtime.messages for insert to authenticated with check (realtime.topic() = 'lobby');`);
    await rows(`begin; set local role authenticated; insert into public.notes values (1);
      select realtime.send('{}', 'e', 'lobby'), realtime.send('{}', 'e', 'office'); commit`);
    expect((await messages()).map(({ topic }) => topic)).toEqual(["lobby"]);
    expect(notices.join()).toContain(`realtime.send on topic "office" failed`);
    expect(await rows("select id from public.notes")).toEqual([{ id: 1 }]);
  });

  it("says the topic in which it is asked, and afterwards the one before", async () => {
    await bench.up();
    expect(await rows("select realtime.topic() as topic")).toEqual([{ topic: null }]);
    await rows("begin; select set_config('realtime.topic', 'mine', true); select realtime.send('{}', 'e', 'other')");
    expect(await rows("select realtime.topic() as topic")).toEqual([{ topic: "mine" }]);
    await rows("rollback");
  });

  it("shows and takes nothing where no policy says so, and nothing by its parts", async () => {
    await bench.up();
    await rows("select realtime.send('{}', 'e', 'r')");
    for (const role of ["anon", "authenticated"]) {
      await rows(`set role ${role}`);
      expect(await messages()).toEqual([]);
      for (const statement of [
        "insert into realtime.messages (topic, extension) values ('r', 'broadcast')",
        "update realtime.messages set topic = 'x'",
        "delete from realtime.messages",
        "select * from realtime.messages_default",
        "create table realtime.mine (id int)",
      ]) {
        await expect(rows(statement)).rejects.toMatchObject({ code: "42501" });
      }
      await rows("reset role");
    }
  });

  it("is published whole, as one table", async () => {
    await bench.up();
    expect(
      await rows(
        "select schemaname, tablename from pg_publication_tables where pubname = 'supabase_realtime_messages_publication'",
      ),
    ).toEqual([{ schemaname: "realtime", tablename: "messages" }]);
  });

  it("belongs to whom it does in a hosted project", async () => {
    await bench.up();
    expect(await rows("select tableowner from pg_tables where schemaname = 'realtime' order by tablename")).toEqual([
      { tableowner: "supabase_realtime_admin" },
      { tableowner: "supabase_realtime_admin" },
    ]);
  });

  it("lets whoever runs migrations write policies, without being a superuser", async () => {
    const owner = await asOwner();
    const { warnings } = await bench.up(null, { database: owner.database });
    expect(warnings.filter((text) => text.includes("realtime.messages"))).toEqual([]);
    await owner.run(
      `create policy mine on realtime.messages for select to authenticated using (realtime.topic() = 'x')`,
    );
    await owner.run("select realtime.send('{}', 'e', 'r')");
    expect(await messages()).toHaveLength(1);
    await owner.close();
  });

  it("is left as it is where somebody else owns it, with words of what is missing", async () => {
    await rows(`
      create schema realtime;
      create table realtime.messages (
        id uuid not null default gen_random_uuid(), topic text not null, extension text not null, payload jsonb, event text,
        private boolean default false, updated_at timestamp not null default now(), inserted_at timestamp not null default now(),
        primary key (id, inserted_at)
      ) partition by range (inserted_at);
      create function realtime.topic() returns text language sql stable as $$ select 'theirs'::text $$;
      create function realtime.send(payload jsonb, event text, topic text, private boolean default true) returns void
        language sql as $$ select null::void $$;`);
    const owner = await asOwner();
    const { warnings } = await bench.up(null, { database: owner.database });
    expect(warnings.join("\n")).toContain("add column binary_payload");
    expect(warnings.join("\n")).toContain("realtime.send_binary");
    expect(await rows("select realtime.topic() as topic")).toEqual([{ topic: "theirs" }]);
    expect(await rows("select count(*)::int as n from pg_inherits")).toEqual([{ n: 0 }]);
    await owner.close();
  });
});

/** Somebody who owns the database and is no superuser. Roles are the cluster's and stay. */
async function asOwner() {
  await rows(`do $$ begin
    create role mainstay_test_owner login createrole password 'owner';
    exception when duplicate_object or unique_violation then null; end $$`);
  await rows(
    "do $$ begin execute format('alter database %I owner to mainstay_test_owner', current_database()); end $$",
  );
  const url = new URL(bench.url);
  url.username = "mainstay_test_owner";
  url.password = "owner";
  const database = openDatabase({ connectionString: url.href });
  return {
    database,
    async run(text: string): Promise<void> {
      const own = new pg.Client({ connectionString: url.href });
      await own.connect();
      try {
        await own.query(text);
      } finally {
        await own.end();
      }
    },
    close: () => database.close(),
  };
}
