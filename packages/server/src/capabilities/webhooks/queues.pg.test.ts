import { type BootedApp, boot } from "@mainstay/testing";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

let app: BootedApp;

beforeAll(async () => {
  app = await boot({ settings: { data: { schemas: ["public", "pgmq_public"] } } });
});
afterAll(() => app.stop());

/** As an app calls it: `supabase.schema("pgmq_public").rpc(name, body)`. */
async function rpc(name: string, body: unknown, key = app.serviceRoleKey) {
  const response = await fetch(`${app.url}/rest/v1/rpc/${name}`, {
    method: "POST",
    headers: { apikey: key, "Content-Type": "application/json", "Content-Profile": "pgmq_public" },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as unknown };
}

describe("queues as pgmq's documentation shows them", () => {
  test("a message is sent, read once within its time, archived and deleted", async () => {
    await app.sql("select pgmq.create('my_queue')");
    const [first] = await app.sql(`select * from pgmq.send(queue_name => 'my_queue', msg => '{"foo": "bar1"}')`);
    expect(first).toEqual({ send: "1" });
    // Its delay is in seconds.
    await app.sql(`select * from pgmq.send(queue_name => 'my_queue', msg => '{"foo": "bar2"}', delay => 60)`);
    const read = await app.sql("select * from pgmq.read(queue_name => 'my_queue', vt => 30, qty => 2)");
    expect(read).toHaveLength(1);
    expect(read[0]).toMatchObject({ msg_id: "1", read_ct: 1, message: { foo: "bar1" }, headers: null });
    expect(await app.sql("select * from pgmq.pop('my_queue')")).toEqual([]);
    expect(await app.sql("select * from pgmq.archive(queue_name => 'my_queue', msg_id => 1)")).toEqual([
      { archive: true },
    ]);
    expect(await app.sql("select msg_id, message from pgmq.a_my_queue")).toEqual([
      { msg_id: "1", message: { foo: "bar1" } },
    ]);
    expect(await app.sql("select pgmq.delete('my_queue', 2::bigint)")).toEqual([{ delete: true }]);
    expect(await app.sql("select pgmq.delete('my_queue', 2::bigint)")).toEqual([{ delete: false }]);
  });

  test("batches keep their order, with headers, and are archived and deleted by lists of ids", async () => {
    await app.sql("select pgmq.create('batches')");
    const sent = await app.sql<{ send_batch: string }>(
      `select * from pgmq.send_batch('batches', array['{"n":1}','{"n":2}','{"n":3}']::jsonb[], array['{"h":1}','{"h":2}','{"h":3}']::jsonb[])`,
    );
    expect(sent.map((row) => row.send_batch)).toEqual(["1", "2", "3"]);
    const read = await app.sql("select msg_id, message, headers from pgmq.read('batches', 0, 3)");
    expect(read).toEqual([1, 2, 3].map((n) => ({ msg_id: String(n), message: { n }, headers: { h: n } })));
    await expect(
      app.sql(`select pgmq.send_batch('batches', array['1','2']::jsonb[], array['{}']::jsonb[])`),
    ).rejects.toThrow("2 messages and 1 headers");
    expect(await app.sql("select * from pgmq.archive('batches', array[1, 3, 99]::bigint[])")).toEqual([
      { archive: "1" },
      { archive: "3" },
    ]);
    expect(await app.sql("select * from pgmq.delete('batches', array[2, 2, 99]::bigint[])")).toEqual([{ delete: "2" }]);
  });

  test("only messages that fit are read, and set_vt shows them sooner or later", async () => {
    await app.sql("select pgmq.create('some')");
    await app.sql(`select pgmq.send_batch('some', array['{"kind":"a"}','{"kind":"b"}']::jsonb[])`);
    const fitting = await app.sql(`select msg_id from pgmq.read('some', 100, 10, '{"kind":"b"}')`);
    expect(fitting).toEqual([{ msg_id: "2" }]);
    await app.sql("select pgmq.set_vt('some', 2, 0)");
    await app.sql("select pgmq.set_vt('some', array[1]::bigint[], now() + interval '1 hour')");
    expect(await app.sql("select msg_id, read_ct from pgmq.pop('some', 10)")).toEqual([{ msg_id: "2", read_ct: 1 }]);
  });

  test("queues are listed, measured, purged, and dropped with their archives", async () => {
    await app.sql("select pgmq.create('Measured'), pgmq.create('measured'), pgmq.create_partitioned('parts')");
    await app.sql("select pgmq.create_unlogged('fast'), pgmq.send('measured', '1'), pgmq.send('measured', '2', 60)");
    const listed = await app.sql<{ queue_name: string }>("select queue_name, is_unlogged from pgmq.list_queues()");
    expect(listed).toContainEqual({ queue_name: "Measured", is_unlogged: false });
    expect(listed).toContainEqual({ queue_name: "fast", is_unlogged: true });
    expect(listed.filter(({ queue_name }) => queue_name.toLowerCase() === "measured")).toHaveLength(1);
    const [metrics] = await app.sql("select * from pgmq.metrics('measured')");
    expect(metrics).toMatchObject({
      queue_name: "measured",
      queue_length: "2",
      total_messages: "2",
      queue_visible_length: "1",
    });
    expect(await app.sql("select queue_name from pgmq.metrics_all()")).toContainEqual({ queue_name: "parts" });
    expect(await app.sql("select pgmq.purge_queue('measured')")).toEqual([{ purge_queue: "2" }]);
    expect(await app.sql("select pgmq.drop_queue('measured')")).toEqual([{ drop_queue: true }]);
    expect(await app.sql("select pgmq.drop_queue('measured')")).toEqual([{ drop_queue: false }]);
    expect(await app.sql("select to_regclass('pgmq.a_measured') as archive")).toEqual([{ archive: null }]);
  });

  test("a detached archive stays when its queue is dropped, and goes on with the next of that name", async () => {
    await app.sql("select pgmq.create('kept'), pgmq.send('kept', '1'), pgmq.archive('kept', 1)");
    await app.sql("select pgmq.detach_archive('kept')");
    await app.sql("select pgmq.drop_queue('kept')");
    expect(await app.sql("select msg_id from pgmq.a_kept")).toEqual([{ msg_id: "1" }]);
  });

  test("names that no table can have are refused, and quotes in them stay names", async () => {
    await expect(app.sql("select pgmq.create(repeat('x', 48))")).rejects.toThrow("too long");
    await expect(app.sql("select pgmq.create('a;b')")).rejects.toThrow("invalid characters");
    await app.sql(`select pgmq.create('odd " name')`);
    await app.sql(`select pgmq.send('odd " name', '1')`);
    expect(await app.sql(`select message from pgmq.pop('odd " name')`)).toEqual([{ message: 1 }]);
  });

  test("read_with_poll waits for a message, and not for ever", async () => {
    await app.sql("select pgmq.create('polled')");
    expect(await app.sql("select * from pgmq.read_with_poll('polled', 1, 1, 1, 50)")).toEqual([]);
    const client = new pg.Client({ connectionString: app.databaseUrl });
    await client.connect();
    const waiting = client.query("select message from pgmq.read_with_poll('polled', 1, 1, 30, 20)");
    await app.sql("select pgmq.send('polled', '7')");
    expect((await waiting).rows).toEqual([{ message: 7 }]);
    await client.end();
  });

  test("many readers at once get every message once within its time, and all of them", async () => {
    await app.sql("select pgmq.create('crowd')");
    await app.sql("select pgmq.send_batch('crowd', (select array_agg(to_jsonb(n)) from generate_series(1, 600) as n))");
    const clients = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const client = new pg.Client({ connectionString: app.databaseUrl });
        await client.connect();
        return client;
      }),
    );
    const seen: string[] = [];
    await Promise.all(
      clients.map(async (client, index) => {
        for (let size = -1; size !== 0; ) {
          // Some pop, some read and leave the message hidden.
          const statement =
            index % 2 ? "select * from pgmq.pop('crowd', 7)" : "select * from pgmq.read('crowd', 600, 7)";
          const { rows } = await client.query<{ msg_id: string }>(statement);
          seen.push(...rows.map(({ msg_id }) => msg_id));
          size = rows.length;
        }
        await client.end();
      }),
    );
    expect(seen).toHaveLength(600);
    expect(new Set(seen).size).toBe(600);
  });
});

describe("queues from apps", () => {
  test("nobody but the service role gets at a queue before a grant and a policy say so", async () => {
    await app.sql("select pgmq.create('closed')");
    expect(await rpc("send", { queue_name: "closed", message: { a: 1 } })).toEqual({ status: 200, body: [1] });
    for (const [name, body] of [
      ["send", { queue_name: "closed", message: {} }],
      ["read", { queue_name: "closed", sleep_seconds: 5, n: 1 }],
      ["pop", { queue_name: "closed" }],
      ["archive", { queue_name: "closed", message_id: 1 }],
      ["delete", { queue_name: "closed", message_id: 1 }],
    ] as const) {
      const refused = await rpc(name, body, app.anonKey);
      expect(refused.status, name).toBe(401);
      expect(refused.body, name).toMatchObject({ code: "42501" });
    }
    // A grant alone opens nothing: row level security is on.
    await app.sql("grant all on pgmq.q_closed, pgmq.a_closed to anon");
    expect(await rpc("read", { queue_name: "closed", sleep_seconds: 5, n: 1 }, app.anonKey)).toMatchObject({
      body: [],
    });
    expect((await rpc("send", { queue_name: "closed", message: {} }, app.anonKey)).status).toBe(401);
    await app.sql(`create policy sending on pgmq.q_closed for insert to anon with check (message ->> 'kind' = 'open');
      create policy seeing on pgmq.q_closed for select to anon using (message ->> 'kind' = 'open')`);
    const sent = await rpc("send", { queue_name: "closed", message: { kind: "open" } }, app.anonKey);
    expect(sent.status).toBe(200);
    expect((await rpc("send", { queue_name: "closed", message: { kind: "x" } }, app.anonKey)).status).toBe(401);
  });

  test("the service role sends, reads, pops, archives and deletes over REST in the documented shapes", async () => {
    await app.sql("select pgmq.create('rest')");
    const batch = { queue_name: "rest", messages: [{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }], sleep_seconds: 0 };
    expect(await rpc("send_batch", batch)).toEqual({ status: 200, body: [1, 2, 3, 4] });
    const read = await rpc("read", { queue_name: "rest", sleep_seconds: 30, n: 1 });
    expect(read.body).toEqual([
      expect.objectContaining({ msg_id: 1, read_ct: 1, message: { n: 1 }, vt: expect.any(String) }),
    ]);
    expect(await rpc("pop", { queue_name: "rest" })).toMatchObject({ body: [{ msg_id: 2 }] });
    expect(await rpc("archive", { queue_name: "rest", message_id: 3 })).toMatchObject({ body: true });
    expect(await rpc("delete", { queue_name: "rest", message_id: 4 })).toMatchObject({ body: true });
    expect(await rpc("delete", { queue_name: "rest", message_id: 4 })).toMatchObject({ body: false });
  });

  test("a project's own copy of pgmq_public replaces ours, as its migrations say", async () => {
    const client = new pg.Client({ connectionString: app.databaseUrl });
    await client.connect();
    await client.query(`set role postgres; create schema if not exists pgmq_public;
      create or replace function pgmq_public.pop(queue_name text) returns setof pgmq.message_record
      language plpgsql set search_path = '' as $$ begin return query select * from pgmq.pop(queue_name := queue_name); end $$;
      select pgmq.create('made_by_migrations'); alter table pgmq.q_made_by_migrations enable row level security;
      grant select on pgmq.q_made_by_migrations to authenticated`);
    await client.end();
    await app.sql("select pgmq.send('made_by_migrations', '5')");
    expect(await rpc("pop", { queue_name: "made_by_migrations" })).toMatchObject({ body: [{ message: 5 }] });
  });
});
