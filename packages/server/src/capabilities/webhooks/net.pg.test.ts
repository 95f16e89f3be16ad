import { createServer as createTcpServer } from "node:net";
import { type BootedApp, boot } from "@mainstay/testing";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { openReceiver, type Receiver } from "./receiver.testing.ts";

let app: BootedApp;
let receiver: Receiver;

beforeAll(async () => {
  app = await boot({ settings: { webhooks: { webhookAllowedHosts: ["127.0.0.1"], netRetries: 0 } } });
});
afterAll(() => app.stop());
beforeEach(async () => {
  receiver = await openReceiver((_, response) =>
    response.writeHead(200, { "Content-Type": "application/json", "X-Seen": "yes" }).end('{"ok":true}'),
  );
});
afterEach(() => receiver.close());

interface ResponseRow {
  readonly id: string;
  readonly status_code: number | null;
  readonly content_type: string | null;
  readonly headers: Record<string, string> | null;
  readonly content: string | null;
  readonly timed_out: boolean | null;
  readonly error_msg: string | null;
}

/** Makes a request in SQL, and waits for what came of it. */
async function answered(call: string): Promise<ResponseRow> {
  const [made] = await app.sql<{ id: string }>(`select ${call} as id`);
  return responseTo(made!.id);
}

const responseTo = (id: string): Promise<ResponseRow> =>
  vi.waitFor(
    async () => {
      const [row] = await app.sql<ResponseRow>("select * from net._http_response where id = $1", [id]);
      expect(row).toBeDefined();
      return row!;
    },
    { timeout: 30_000, interval: 20 },
  );

describe("net, as pg_net has it", () => {
  test("posts JSON with parameters and headers, and keeps the answer", async () => {
    const row = await answered(
      `net.http_post(url := '${receiver.url}?a=1#part', body := '{"n": 1}', params := '{"q": "ä b&c"}', headers := '{"X-Key": "k"}')`,
    );
    expect(row).toMatchObject({
      status_code: 200,
      content_type: "application/json",
      content: '{"ok":true}',
      timed_out: false,
      error_msg: null,
    });
    expect(row.headers).toMatchObject({ "x-seen": "yes" });
    const [got] = receiver.received;
    expect(got).toMatchObject({ method: "POST", url: "/hook?a=1&q=%C3%A4%20b%26c", body: '{"n": 1}' });
    expect(got!.headers).toMatchObject({ "x-key": "k", "content-type": "application/json" });
    expect(await app.sql("select * from net.http_request_queue")).toEqual([]);
  });

  test("gets and deletes, the latter with a body when there is one", async () => {
    await answered(`net.http_get('${receiver.url}', '{"x": "1"}')`);
    await answered(`net.http_delete('${receiver.url}', body := '{"gone": true}')`);
    await answered(`net.http_delete('${receiver.url}')`);
    expect(receiver.received.map(({ method, url, body }) => [method, url, body])).toEqual([
      ["GET", "/hook?x=1", ""],
      ["DELETE", "/hook", '{"gone": true}'],
      ["DELETE", "/hook", ""],
    ]);
  });

  test("collects a response, and says of what is not there that it is not", async () => {
    const { id } = await answered(`net.http_get('${receiver.url}')`);
    const collect = `select (net.http_collect_response(${id}, async := false)).*`;
    const [row] = await app.sql<{ status: string; message: string }>(collect);
    expect(row).toMatchObject({ status: "SUCCESS", message: "ok" });
    const [none] = await app.sql("select status, message from net._http_collect_response(987654)");
    expect(none).toEqual({ status: "ERROR", message: "request matching request_id not found" });
    await app.sql("select net.check_worker_is_up(), net.worker_restart(), net.wake(), net.wait_until_running()");
  });

  test("says what went wrong: an answer that is late, cut off, a redirect, no server at all", async () => {
    receiver.answer = () => {};
    expect(await answered(`net.http_get('${receiver.url}', timeout_milliseconds := 150)`)).toMatchObject({
      status_code: null,
      timed_out: true,
      error_msg: "Timeout of 150 ms reached",
    });
    receiver.answer = (_, response) => {
      response.writeHead(200, { "Content-Length": "100" }).write("half");
      setTimeout(() => response.destroy(), 20);
    };
    expect(await answered(`net.http_get('${receiver.url}')`)).toMatchObject({ status_code: null, timed_out: false });
    const other = await openReceiver();
    receiver.answer = (_, response) => response.writeHead(302, { Location: other.url }).end();
    expect(await answered(`net.http_get('${receiver.url}')`)).toMatchObject({ status_code: 302, error_msg: null });
    expect(other.received).toEqual([]);
    await other.close();
    receiver.answer = (_, response) => response.writeHead(500).end("\u0000bad");
    const before = receiver.received.length;
    expect(await answered(`net.http_get('${receiver.url}')`)).toMatchObject({ status_code: 500, content: "bad" });
    // Once, as pg_net: retries are a setting.
    expect(receiver.received.length).toBe(before + 1);
    expect((await answered("net.http_get('http://127.0.0.1:1/')")).error_msg).toContain("ECONNREFUSED");
    expect((await answered("net.http_get('no url')")).error_msg).toContain("not a URL");
  });

  test("X11 sends nothing of what is rolled back, and all of what commits, in its transaction", async () => {
    const client = new pg.Client({ connectionString: app.databaseUrl });
    await client.connect();
    await client.query("begin");
    await client.query(`select net.http_get('${receiver.url}/never')`);
    await client.query("rollback");
    await client.query("begin");
    const { rows } = await client.query(`select net.http_get('${receiver.url}/later') as id`);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(receiver.received).toEqual([]);
    await client.query("commit");
    await client.end();
    await responseTo(rows[0].id);
    expect(receiver.received.map(({ url }) => url)).toEqual(["/hook/later"]);
  });

  test("this server is reached under every name that projects write for it", async () => {
    for (const origin of [
      "http://127.0.0.1:54321",
      "http://localhost:54321",
      "http://host.docker.internal:54321",
      "http://kong:8000",
      app.url,
    ]) {
      expect(await answered(`net.http_get('${origin}/health/live')`), origin).toMatchObject({ status_code: 200 });
    }
  });

  test("apps of each role may ask in their triggers, and see nothing of what is asked and answered", async () => {
    const client = new pg.Client({ connectionString: app.databaseUrl });
    await client.connect();
    for (const role of ["anon", "authenticated"]) {
      await client.query(`begin; set local role ${role}`);
      await client.query(`select net.http_get('${receiver.url}')`);
      await client.query("commit");
      for (const secret of [
        "net.http_request_queue",
        "net._http_response",
        "supabase_functions.hooks",
        "mainstay.jobs",
      ]) {
        await client.query(`begin; set local role ${role}`);
        await expect(client.query(`select * from ${secret}`), `${role} ${secret}`).rejects.toThrow("permission denied");
        await client.query("rollback");
      }
    }
    await client.end();
    // Nor over the data API: its schema is not served.
    const response = await fetch(`${app.url}/rest/v1/rpc/http_get`, {
      method: "POST",
      headers: { apikey: app.anonKey, "Content-Profile": "net", "Content-Type": "application/json" },
      body: JSON.stringify({ url: receiver.url }),
    });
    expect(response.status).toBe(406);
  });
});

describe("supabase_functions.http_request", () => {
  beforeAll(() =>
    app.sql(`create table orders (id int primary key, total numeric, note text);
      grant all on orders to service_role`),
  );

  test("tells of rows in Supabase's shape, from triggers written for it", async () => {
    await app.sql(`create or replace trigger told after insert or update or delete on orders for each row
      execute function supabase_functions.http_request('${receiver.url}', 'POST', '{"Content-Type":"application/json","X-A":"b"}', '{"p":"q"}', '5000')`);
    await app.sql("insert into orders values (1, 12.50, 'new')");
    await app.sql("update orders set note = 'paid' where id = 1");
    await app.sql("delete from orders where id = 1");
    await vi.waitFor(() => expect(receiver.received).toHaveLength(3), { timeout: 30_000 });
    const bodies = receiver.received.map(({ body }) => JSON.parse(body)).sort((a, b) => (a.type < b.type ? -1 : 1));
    const row = { id: 1, total: 12.5, note: "new" };
    const common = { table: "orders", schema: "public" };
    expect(bodies).toEqual([
      { type: "DELETE", ...common, record: null, old_record: { ...row, note: "paid" } },
      { type: "INSERT", ...common, record: row, old_record: null },
      { type: "UPDATE", ...common, record: { ...row, note: "paid" }, old_record: row },
    ]);
    expect(receiver.received[0]).toMatchObject({ url: "/hook?p=q", headers: { "x-a": "b" } });
    const hooks = await app.sql("select hook_name, request_id is not null as asked from supabase_functions.hooks");
    expect(hooks).toEqual(Array.from({ length: 3 }, () => ({ hook_name: "told", asked: true })));
  });

  test("takes the word null for what is left out, and refuses what it needs", async () => {
    await app.sql(`create or replace trigger told after insert on orders for each row
      execute function supabase_functions.http_request('${receiver.url}', 'GET', 'null', 'null', 'null')`);
    await app.sql("insert into orders values (2, 1, 'x')");
    await vi.waitFor(() => expect(receiver.received).toHaveLength(1), { timeout: 30_000 });
    expect(receiver.received[0]!.method).toBe("GET");
    await app.sql(`create or replace trigger told after insert on orders for each row
      execute function supabase_functions.http_request('null', 'POST')`);
    await expect(app.sql("insert into orders values (3, 1, 'x')")).rejects.toThrow("url argument is missing");
    await app.sql("drop trigger told on orders");
  });
});

describe("X01 requests of SQL into private space", () => {
  test("are refused, however the address is written", async () => {
    const strict = await boot();
    const listener = createTcpServer((socket) => socket.destroy());
    await new Promise<void>((listening) => listener.listen(0, "127.0.0.1", listening));
    const { port } = listener.address() as { port: number };
    let connections = 0;
    listener.on("connection", () => {
      connections += 1;
    });
    const places = [
      `http://127.0.0.1:${port}/`,
      `http://localhost:${port}/`,
      `http://2130706433:${port}/`,
      `http://0x7f.1:${port}/`,
      `http://[::1]:${port}/`,
      `http://[::ffff:127.0.0.1]:${port}/`,
      `http://0.0.0.0:${port}/`,
      `http://127.1:${port}/`,
      "http://169.254.169.254/latest/meta-data/",
      "http://10.0.0.1/",
      "http://[fd00::1]/",
      "http://100.64.0.1/",
      // The server's own names count for their own ports only.
      `http://kong:${port}/`,
    ];
    const made = await strict.sql<{ id: string }>("select net.http_get(u) as id from unnest($1::text[]) u", [places]);
    await vi.waitFor(
      async () => {
        const rows = await strict.sql<ResponseRow>("select * from net._http_response");
        expect(rows).toHaveLength(made.length);
      },
      { timeout: 30_000, interval: 50 },
    );
    const rows = await strict.sql<ResponseRow>("select * from net._http_response order by id");
    for (const [at, row] of rows.entries()) {
      expect(row.status_code, places[at]!).toBeNull();
      if (!places[at]!.includes("kong")) expect(row.error_msg, places[at]!).toContain("not one that may be called");
    }
    expect(connections).toBe(0);
    listener.close();
    await strict.stop();
  });
});

describe("settings of requests", () => {
  test("retry what may pass, wait as asked, and keep answers for their time", async () => {
    const patient = await boot({
      settings: { webhooks: { webhookAllowedHosts: ["127.0.0.1"], netRetries: 2, netResponseTtlSeconds: 2 } },
    });
    receiver.answer = (_, response, count) => {
      if (count === 1) response.writeHead(503, { "Retry-After": "1" }).end();
      else if (count === 2) response.destroy();
      else response.writeHead(200).end("third");
    };
    await patient.sql(`select net.http_get('${receiver.url}')`);
    const rows = () => patient.sql<ResponseRow>("select * from net._http_response");
    await vi.waitFor(async () => expect(await rows()).toMatchObject([{ status_code: 200, content: "third" }]), {
      timeout: 30_000,
      interval: 20,
    });
    expect(receiver.received).toHaveLength(3);
    await vi.waitFor(async () => expect(await rows()).toEqual([]), { timeout: 30_000, interval: 100 });
    await patient.stop();
  });

  test("X11 a request whose server ends leaves with the next one", async () => {
    const { url } = receiver;
    await app.sql("select 1");
    const { startServer } = await import("../../compose.ts");
    const first = await boot({ settings: { webhooks: { webhookAllowedHosts: ["127.0.0.1"] } } });
    await first.server.stop();
    await first.sql(`select net.http_post('${url}/kept', '{"a": 1}')`);
    await expect(first.sql("select net.check_worker_is_up()")).rejects.toThrow("is not up");
    const again = await startServer({
      projectDir: first.server.project.dir,
      flags: { http: { port: 0 }, webhooks: { webhookAllowedHosts: ["127.0.0.1"] } },
      env: { DATABASE_URL: first.databaseUrl },
      observe: () => {},
    });
    await vi.waitFor(() => expect(receiver.received.map((one) => one.url)).toEqual(["/hook/kept"]), {
      timeout: 30_000,
    });
    await again.stop();
    await first.stop();
  });
});
