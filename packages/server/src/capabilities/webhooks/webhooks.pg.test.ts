import { type BootedApp, boot } from "@mainstay/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { openReceiver, type Receiver, signersOf } from "./receiver.testing.ts";
import { createWebhookSecrets } from "./secrets.ts";
import type { WebhookTools } from "./tools.ts";

let app: BootedApp;
let receiver: Receiver;

beforeAll(async () => {
  app = await boot({
    settings: {
      webhooks: {
        webhookAllowedHosts: ["127.0.0.1"],
        webhookRetryFirstMs: 20,
        webhookRetryMaxMs: 2_000,
        webhookMaxAttempts: 4,
        webhookBreakerFailures: 1_000,
      },
    },
    sql: `create table orders (id bigint primary key, status text, total numeric(20,2), tags text[], doc jsonb, note text);
      alter table orders replica identity full;
      create table plain (id int primary key, a text, b text);
      grant all on orders, plain to service_role`,
  });
});
afterAll(() => app.stop());

// The first webhook a database ever has begins when a server has begun to read the log for it.
beforeAll(async () => {
  await app.sql("select mainstay.create_webhook('first', 'https://example.com', 'plain', operations => '{delete}')");
  await vi.waitFor(
    async () => expect(await app.sql("select from mainstay.log_cursors where name = 'webhooks'")).toHaveLength(1),
    { timeout: 30_000, interval: 20 },
  );
});
beforeEach(async () => {
  receiver = await openReceiver();
});
afterEach(async () => {
  await app.sql("select mainstay.drop_webhook(name) from mainstay.webhooks");
  await app.sql("truncate orders, plain");
  await receiver.close();
});

const arrived = (count: number) =>
  vi.waitFor(() => expect(receiver.received.length).toBeGreaterThanOrEqual(count), { timeout: 30_000, interval: 10 });

const deliveries = () =>
  app.sql<{ id: string; state: string; attempts: number; last_status: number | null; last_error: string | null }>(
    "select id, state, attempts, last_status, last_error from mainstay.webhook_deliveries order by created_at, event_id",
  );

const settled = (state: string, count = 1) =>
  vi.waitFor(
    async () => {
      const rows = await deliveries();
      expect(rows.filter((row) => row.state === state)).toHaveLength(count);
      return rows;
    },
    { timeout: 30_000, interval: 20 },
  );

/** The webhooks of the running server, as its commands see them. */
async function tools(): Promise<WebhookTools> {
  const { createWebhookTools } = await import("./tools.ts");
  const { jobsStore } = await import("../../platform/jobs/store.ts");
  const secrets = createWebhookSecrets(await serverKey());
  return createWebhookTools({ db: app.server.database, jobs: jobsStore, secrets });
}

async function serverKey(): Promise<Buffer> {
  const { openIdentity } = await import("../../platform/identity/index.ts");
  const { join } = await import("node:path");
  const keys = await openIdentity({
    keysDir: join(app.server.project.dataDir, "keys"),
    settings: { ...app.server.config.identity, keyPollMs: 0 },
    observe: () => {},
    clock: { nowMs: () => Date.now() },
  });
  try {
    return keys.signer.deriveKey("webhooks");
  } finally {
    keys.close();
  }
}

const secretsOf = async (name: string) => (await (await tools()).secrets(name))!.map(({ text }) => text);

describe("a webhook", () => {
  test("tells of inserts, updates and deletes in Supabase's shape, with every digit, signed", async () => {
    await app.sql(`select mainstay.create_webhook('orders', '${receiver.url}', 'orders', headers => '{"X-Own": "1"}')`);
    await app.sql(
      `insert into orders values (9007199254740993, 'new', 12345678901234567.89, '{a,"b c"}', '{"x": [1.10]}', null)`,
    );
    await app.sql("update orders set status = 'paid'");
    await app.sql("delete from orders");
    await arrived(3);
    const bodies = receiver.received.map(({ body }) => body);
    expect(bodies[0]).toContain('"id":9007199254740993');
    expect(bodies[0]).toContain('"total":12345678901234567.89');
    const [inserted, updated, deleted] = bodies.map((body) => JSON.parse(body));
    expect(inserted).toMatchObject({ type: "INSERT", schema: "public", table: "orders", old_record: null });
    expect(inserted.record).toMatchObject({ status: "new", tags: ["a", "b c"], doc: { x: [1.1] }, note: null });
    expect(updated).toMatchObject({ type: "UPDATE", record: { status: "paid" }, old_record: { status: "new" } });
    expect(deleted).toMatchObject({ type: "DELETE", record: null, old_record: { status: "paid" } });
    const secrets = await secretsOf("orders");
    expect(secrets).toHaveLength(1);
    for (const one of receiver.received) {
      expect(signersOf(one, secrets)).toEqual(secrets);
      expect(signersOf({ ...one, body: `${one.body} ` }, secrets)).toEqual([]);
      expect(one.headers).toMatchObject({ "x-own": "1", "content-type": "application/json" });
      expect(JSON.parse(one.body).id).toBe(one.headers["webhook-id"]);
      expect(Math.abs(Date.parse(JSON.parse(one.body).timestamp) - Date.now())).toBeLessThan(120_000);
    }
    const rows = await settled("delivered", 3);
    expect(rows.map(({ attempts, last_status }) => [attempts, last_status])).toEqual([
      [1, 204],
      [1, 204],
      [1, 204],
    ]);
  });

  test("sends only the rows, operations and columns that it asks for", async () => {
    await app.sql(`select mainstay.create_webhook('some', '${receiver.url}', 'public.orders', operations => '{insert}',
      filter => 'status=in.(paid,"on the way")&total=gte.10&note=not.is.null', columns => '{id,status}')`);
    await app.sql(`insert into orders (id, status, total, note) values (1, 'paid', 10, 'x'), (2, 'paid', 9.99, 'x'), (3, 'new', 99, 'x'),
      (4, 'on the way', 10.5, 'x'), (5, 'paid', 10, null)`);
    await app.sql("update orders set total = 1000");
    await settled("delivered", 2);
    const records = receiver.received.map(({ body }) => JSON.parse(body).record);
    expect(records.sort((a, b) => a.id - b.id)).toEqual([
      { id: 1, status: "paid" },
      { id: 4, status: "on the way" },
    ]);
  });

  test("without a full identity tells of an old row its key", async () => {
    await app.sql(
      `select mainstay.create_webhook('plain', '${receiver.url}', 'plain', operations => '{update,delete}')`,
    );
    await app.sql("insert into plain values (1, 'a', repeat('long ', 2000))");
    await app.sql("update plain set a = 'c'");
    await app.sql("delete from plain");
    await arrived(2);
    const [updated, deleted] = receiver.received.map(({ body }) => JSON.parse(body));
    // The large value is not in the log, and is there all the same.
    expect(updated.record).toEqual({ id: 1, a: "c", b: "long ".repeat(2000) });
    expect(updated.old_record).toEqual({ id: 1 });
    expect(deleted.old_record).toEqual({ id: 1 });
  });

  test("keeps the order of what happens to a row, while others go on", async () => {
    await app.sql(`select mainstay.create_webhook('ordered', '${receiver.url}', 'orders')`);
    let failures = 0;
    receiver.answer = ({ body }, response) => {
      const { record } = JSON.parse(body);
      if (record.id === 1 && record.status === "s0" && failures++ < 2) response.writeHead(503).end();
      else response.writeHead(200).end();
    };
    await app.sql("insert into orders (id, status) values (1, 's0')");
    for (let n = 1; n <= 5; n++) await app.sql(`update orders set status = 's${n}' where id = 1`);
    await app.sql("insert into orders (id, status) values (2, 'other')");
    await settled("delivered", 7);
    const ofOne = receiver.received.map(({ body }) => JSON.parse(body).record).filter(({ id }) => id === 1);
    expect(ofOne.map(({ status }) => status)).toEqual(["s0", "s0", "s0", "s1", "s2", "s3", "s4", "s5"]);
  });

  test("begins with what is committed after it was made, and ends with being dropped", async () => {
    await app.sql("insert into orders (id) values (1)");
    await app.sql(`select mainstay.create_webhook('from_now', '${receiver.url}', 'orders')`);
    await app.sql("insert into orders (id) values (2)");
    await settled("delivered");
    expect(await app.sql("select mainstay.drop_webhook('from_now') as dropped")).toEqual([{ dropped: true }]);
    expect(await app.sql("select tablename from pg_publication_tables where pubname = 'mainstay_webhooks'")).toEqual(
      [],
    );
    await app.sql("insert into orders (id) values (3)");
    await app.sql(`select mainstay.create_webhook('again', '${receiver.url}', 'orders')`);
    await app.sql("insert into orders (id) values (4)");
    await arrived(2);
    expect(receiver.received.map(({ body }) => JSON.parse(body).record.id)).toEqual([2, 4]);
  });

  test("is refused where it makes no sense", async () => {
    const make = (more: string) => app.sql(`select mainstay.create_webhook(${more})`);
    await expect(make("'x', 'ftp://a', 'orders'")).rejects.toThrow("needs a URL");
    await expect(make("'x', 'https://a', 'nowhere'")).rejects.toThrow("does not exist");
    await expect(make("'x', 'https://a', 'mainstay.webhooks'")).rejects.toThrow("is none");
    await expect(make("'x', 'https://a', 'orders', '{truncate}'")).rejects.toThrow("operations");
    await expect(make("'x', 'https://a', 'orders', columns => '{nope}'")).rejects.toThrow('no column "nope"');
    await expect(make(`'x', 'https://a', 'orders', headers => '{"a b": "c"}'`)).rejects.toThrow("headers");
    await expect(make(`'x', 'https://a', 'orders', headers => '{"a": "c\\r\\nd"}'`)).rejects.toThrow("headers");
    expect(await app.sql("select * from mainstay.webhooks")).toEqual([]);
    for (const role of ["anon", "authenticated"]) {
      await expect(
        app.sql(
          `begin; set local role ${role}; select mainstay.create_webhook('x', 'https://a', 'public.orders'); commit`,
        ),
      ).rejects.toThrow("permission denied");
      await app.sql("rollback");
    }
  });

  test("whose filter cannot be decided is turned off, and says so", async () => {
    await app.sql(`select mainstay.create_webhook('bad', '${receiver.url}', 'orders', filter => 'total=eq.much')`);
    await app.sql(`select mainstay.create_webhook('good', '${receiver.url}', 'orders')`);
    await app.sql("insert into orders (id) values (1)");
    await settled("delivered");
    const [bad] = await app.sql("select is_enabled, disabled_reason from mainstay.webhooks where name = 'bad'");
    expect(bad).toMatchObject({ is_enabled: false, disabled_reason: expect.stringContaining("22P02") });
    expect(app.observations).toContainEqual(expect.objectContaining({ kind: "webhook.disabled", webhook: "bad" }));
    expect(receiver.received).toHaveLength(1);
  });
});

describe("X12 an endpoint that fails", () => {
  test("is asked again, not before Retry-After, and in the end the message has failed", async () => {
    await app.sql(`select mainstay.create_webhook('busy', '${receiver.url}', 'orders')`);
    const times: number[] = [];
    receiver.answer = (_, response, count) => {
      times.push(performance.now());
      if (count === 1) response.writeHead(429, { "Retry-After": "1" }).end("slow down");
      else response.writeHead(500).end("broken");
    };
    await app.sql("insert into orders (id) values (1)");
    const [row] = await settled("failed");
    expect(row).toMatchObject({ attempts: 4, last_status: 500 });
    expect(times).toHaveLength(4);
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(990);
    const ids = receiver.received.map(({ headers }) => headers["webhook-id"]);
    expect(new Set(ids).size).toBe(1);
    const [log, ...others] = await (await tools()).attempts(row!.id);
    expect(log).toMatchObject({ status: 429, answer: "slow down", error: "the answer was 429" });
    expect(others.map(({ answer }) => answer)).toEqual(["broken", "broken", "broken"]);
  });

  test("may hang, cut off or redirect: nothing is followed, and it is tried again", async () => {
    const elsewhere = await openReceiver();
    await app.sql(`select mainstay.create_webhook('odd', '${receiver.url}', 'orders', timeout_ms => 200)`);
    receiver.answer = (_, response, count) => {
      if (count === 1) return;
      if (count === 2) response.destroy();
      else if (count === 3) response.writeHead(307, { Location: elsewhere.url }).end();
      else response.writeHead(200).end("x".repeat(100_000));
    };
    await app.sql("insert into orders (id) values (1)");
    const [row] = await settled("delivered");
    expect(row!.attempts).toBe(4);
    const errors = (await (await tools()).attempts(row!.id)).map(({ error, answer }) => [
      error,
      answer?.length ?? null,
    ]);
    expect(errors[0]).toEqual(["no answer within 200 ms", null]);
    expect(errors[2]).toEqual(["the answer was 307", 0]);
    expect(errors[3]).toEqual([null, 1_024]);
    expect(elsewhere.received).toEqual([]);
    await elsewhere.close();
  });

  test("that is gone (410) is asked nothing more until it is turned on again", async () => {
    await app.sql(`select mainstay.create_webhook('gone', '${receiver.url}', 'orders')`);
    receiver.answer = (_, response) => response.writeHead(410).end();
    await app.sql("insert into orders (id) values (1)");
    await settled("failed");
    await vi.waitFor(async () =>
      expect(await app.sql("select is_enabled from mainstay.webhooks")).toEqual([{ is_enabled: false }]),
    );
    await app.sql("insert into orders (id) values (2)");
    await app.sql("select mainstay.enable_webhook('gone')");
    receiver.answer = (_, response) => response.writeHead(200).end();
    await app.sql("insert into orders (id) values (3)");
    await arrived(2);
    expect(receiver.received.map(({ body }) => JSON.parse(body).record.id)).toEqual([1, 3]);
  });

  test("for too long is turned off, and that is told; what had failed is sent again when it is wanted", async () => {
    await app.sql(`select mainstay.create_webhook('weary', '${receiver.url}', 'orders')`);
    receiver.answer = (_, response) => response.writeHead(500).end();
    await app.sql("insert into orders (id) values (1), (2)");
    await settled("failed", 2);
    // As if it had been so for six days.
    await app.sql("update mainstay.webhooks set failing_since = now() - interval '6 days'");
    await app.sql("insert into orders (id) values (3)");
    await settled("failed", 3);
    expect(app.observations).toContainEqual(
      expect.objectContaining({
        kind: "webhook.disabled",
        webhook: "weary",
        reason: expect.stringContaining("no delivery"),
      }),
    );
    const before = [...new Set(receiver.received.map(({ headers }) => headers["webhook-id"]))];
    receiver.answer = (_, response) => response.writeHead(200).end();
    await app.sql("select mainstay.enable_webhook('weary')");
    const replayed = await (await tools()).replayFailed({ sinceMs: Date.now() - 3_600_000, limit: 100 });
    expect(replayed).toBe(3);
    await settled("delivered", 3);
    // Under their old ids, by which a receiver knows them.
    expect([...receiver.taken].sort()).toEqual([...before].sort());
    expect(await app.sql("select failing_since from mainstay.webhooks")).toEqual([{ failing_since: null }]);
  });
});

describe("secrets of webhooks", () => {
  test("are rotated with an overlap, and are not in the database", async () => {
    await app.sql(`select mainstay.create_webhook('kept', '${receiver.url}', 'orders')`);
    const [old] = await secretsOf("kept");
    await app.sql("select mainstay.rotate_webhook_secret('kept')");
    const both = await secretsOf("kept");
    expect(both).toHaveLength(2);
    expect(both[1]).toBe(old);
    await app.sql("insert into orders (id) values (1)");
    await arrived(1);
    expect(signersOf(receiver.received[0]!, both)).toEqual(both);
    await app.sql("select mainstay.rotate_webhook_secret('kept', interval '0')");
    const last = await secretsOf("kept");
    expect(last).toHaveLength(1);
    await app.sql("insert into orders (id) values (2)");
    await arrived(2);
    expect(signersOf(receiver.received[1]!, [...both, ...last])).toEqual(last);
    const dump = await app.sql<{ row: string }>("select to_jsonb(s)::text as row from mainstay.webhook_secrets s");
    for (const { row } of dump) {
      for (const secret of [...both, ...last]) {
        const bytes = Buffer.from(secret.slice("whsec_".length), "base64");
        expect(row).not.toContain(bytes.toString("hex"));
        expect(row).not.toContain(Buffer.from(bytes.toString("base64")).toString("hex"));
      }
    }
    const other = createWebhookSecrets(Buffer.alloc(32, 1));
    const [webhook] = await app.sql<{ id: string }>("select id from mainstay.webhooks");
    await expect(other.of(app.server.database, webhook!.id)).rejects.toThrow("another server key");
  });
});

describe("replay and test", () => {
  test("send a message again under its id, and one that is about nothing", async () => {
    await app.sql(`select mainstay.create_webhook('again', '${receiver.url}', 'orders')`);
    await app.sql("insert into orders (id) values (1)");
    const [row] = await settled("delivered");
    const { replay, test: send, list, deliveries: find } = await tools();
    expect(await replay(row!.id)).toBe(true);
    await arrived(2);
    expect(receiver.received[1]!.body).toBe(receiver.received[0]!.body);
    expect(await replay("00000000-0000-4000-8000-000000000000")).toBe(false);
    expect(await replay("'; drop table x")).toBe(false);
    const id = await send("again");
    await arrived(3);
    expect(JSON.parse(receiver.received[2]!.body)).toMatchObject({ type: "TEST", id, record: null });
    expect(await send("nobody")).toBeNull();
    expect(await list()).toMatchObject([
      { name: "again", operations: ["delete", "insert", "update"], isEnabled: true },
    ]);
    await settled("delivered", 2);
    expect(await find({ webhook: "again", limit: 1 })).toMatchObject([{ eventId: `test/${id}`, state: "delivered" }]);
  });
});

describe("the delivery log", () => {
  test("keeps what is over for its time and up to its number, and what is on its way", async () => {
    const { webhooksStore } = await import("./store.ts");
    const db = app.server.database;
    await app.sql(`select mainstay.create_webhook('kept', '${receiver.url}', 'orders')`);
    await app.sql("select mainstay.enable_webhook('kept', false)");
    const put = (state: string, age: string) =>
      app.sql(
        `insert into mainstay.webhook_deliveries (webhook_id, event_id, body, job_id, state, created_at)
         select id, gen_random_uuid()::text, '{}', gen_random_uuid(), $1, now() - $2::interval from mainstay.webhooks`,
        [state, age],
      );
    for (let n = 1; n <= 5; n++) await put("delivered", `${n} minutes`);
    await put("failed", "8 days");
    await put("pending", "9 days");
    await webhooksStore.sweep(db, { keepSeconds: 7 * 86_400, keep: 3 });
    const states = async () => (await deliveries()).map(({ state }) => state);
    expect(await states()).toEqual(["pending", "delivered", "delivered", "delivered"]);
    // Its job is nowhere: nobody would ever deliver it.
    await webhooksStore.settleStranded(db);
    expect(await states()).toEqual(["failed", "delivered", "delivered", "delivered"]);
    await webhooksStore.sweep(db, { keepSeconds: 7 * 86_400, keep: 0 });
    expect(await states()).toEqual([]);
  });
});
