import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type FunctionsApp, openFunctionsApp } from "../host/app.testing.ts";

const poll = <T>(of: () => T) => expect.poll(of, { interval: 20, timeout: 15_000 });

let app: FunctionsApp;
beforeAll(async () => {
  app = await openFunctionsApp(
    {
      ".env": "HOOK_SECRET=whsec_test\n",
      "bookings.ts": `
        import { on, job } from "@mainstay/functions";
        on("bookings", ["insert", "update"], { name: "confirm", filter: "status=eq.confirmed" }, async (change, ctx) => {
          if (!(change.committedAt instanceof Date)) throw new TypeError("no Date");
          const { data, error } = await ctx.db.from("bookings").select("id").eq("id", change.row.id).single();
          if (error) throw new Error(error.message);
          await ctx.jobs.enqueue("mail", { booking: data.id, seen: change.id }, { key: change.id });
        });
        job("mail", { queue: "mails", priority: 3 }, async (payload, ctx) => {
          await ctx.complete((tx) => tx.sql\`insert into public.mails (booking, job) values (\${payload.booking}, \${ctx.job.id})\`);
        });`,
      "work.ts": `
        import { batchJob, job, cron } from "@mainstay/functions";
        job("fails", { maxAttempts: 2, retryFirstMs: 1, retryMaxMs: 2 }, () => { throw new RangeError("on purpose"); });
        job("quiet", () => {});
        job("adds", (payload) => ({ sum: payload.a + payload.b }));
        job("steps", async (payload, ctx) => {
          const first = await ctx.step("one", () => ctx.job.attempt);
          await ctx.sleep("a while", 50);
          const event = await ctx.waitForEvent("go", { key: payload.key });
          const rows = await ctx.stepInTransaction("two", (tx) => tx.sql\`insert into public.mails (booking, job) values (0, \${ctx.job.id}) returning booking\`);
          await ctx.progress(1);
          return { first, event, rows };
        });
        batchJob("batched", { size: 10, maxAttempts: 1 }, (payloads) => ({ failed: { 1: "not this one" }, seen: payloads.length }));
        cron("* * * * * *", { name: "tick" }, async (run, ctx) => {
          await ctx.transaction((tx) => tx.sql\`insert into public.ticks (at) values (\${run.scheduledAt.toISOString()})\`);
        });`,
      "pay.ts": `
        import { job, webhook } from "@mainstay/functions";
        job("same", () => "b");
        job("mainstay.mine", () => 1);
        webhook({ provider: "stripe", secret: "HOOK_SECRET" }, async (event, ctx) => {
          if (!(event.receivedAt instanceof Date)) throw new TypeError("no Date");
          await ctx.transaction((tx) => tx.sql\`insert into public.payments (event, kind) values (\${event.id}, \${event.type})\`);
        });`,
      "same.ts": `import { job } from "@mainstay/functions"; job("same", () => "a");`,
    },
    {
      sql: `create table public.bookings (id int primary key, status text);
        create table public.mails (booking int, job text);
        create table public.ticks (at timestamptz);
        create table public.payments (event text, kind text);
        grant all on all tables in schema public to service_role`,
    },
  );
  const isReady = `select from pg_publication_tables p, mainstay.log_cursors c
    where p.pubname = 'mainstay_readers' and c.name = 'functions'`;
  await vi.waitFor(async () => expect(await app.sql(isReady)).toHaveLength(1), { timeout: 20_000, interval: 50 });
}, 60_000);
afterAll(() => app?.stop());

const enqueue = async (name: string, payload: unknown, more = ""): Promise<string> => {
  const [row] = await app.sql<{ id: string }>(
    `select id from mainstay.enqueue_many(jsonb_build_array(jsonb_build_object('name', $1::text, 'payload', $2::jsonb, 'key', gen_random_uuid()) ${more}))`,
    [name, JSON.stringify(payload)],
  );
  return row!.id;
};
const job = async (id: string) => {
  const [row] = await app.sql<{ state: number; result: unknown; last_error: string | null; failures: number }>(
    "select state, result, last_error, failures from mainstay.jobs where id = $1",
    [id],
  );
  return row;
};
const [waiting, done, dead] = [3, 4, 5];

describe("functions as jobs", () => {
  test("X11 a committed booking becomes a mail, once, by a change, a job and a transaction that ends it", async () => {
    await app.sql("insert into bookings values (1, 'open'), (2, 'confirmed')");
    await app.sql("update bookings set status = 'confirmed' where id = 1");
    await poll(() => app.sql("select booking from mails where booking > 0 order by booking")).toEqual([
      { booking: 1 },
      { booking: 2 },
    ]);
    const mails = await app.sql("select name, queue, priority, state from mainstay.jobs where name = 'mail'");
    expect(mails).toEqual(Array(2).fill({ name: "mail", queue: "mails", priority: 3, state: done }));
  });

  test("give a result, and what they throw is kept with its stack", async () => {
    const [adds, fails] = [await enqueue("adds", { a: 1, b: 2 }), await enqueue("fails", {})];
    await poll(() => job(adds)).toMatchObject({ state: done, result: { sum: 3 } });
    await poll(() => job(fails)).toMatchObject({ state: dead, failures: 2 });
    const { last_error } = (await job(fails))!;
    expect(last_error).toContain("on purpose");
    expect(last_error).toContain("work.ts");
  });

  test("can be asked after when they are done, without a key or a result", async () => {
    const [made] = await app.sql<{ id: string }>("select mainstay.enqueue('quiet') as id");
    await poll(() => job(made!.id)).toMatchObject({ state: done, result: null });
  });

  test("remember their steps, sleep, and wait for events", async () => {
    const id = await enqueue("steps", { key: "k" });
    await poll(() => job(id)).toMatchObject({ state: waiting });
    await app.sql("select mainstay.send_event('go', '{\"n\":1}'::jsonb, 'k')");
    await poll(() => job(id)).toMatchObject({
      state: done,
      result: { first: 1, event: { n: 1 }, rows: [{ booking: 0 }] },
    });
    expect(await app.sql("select count(*)::int as n from mails where job = $1", [id])).toEqual([{ n: 1 }]);
  });

  test("take batches, of which single ones may fail", async () => {
    const rows = await app.sql<{ id: string }>(
      `select id from mainstay.enqueue_many((select jsonb_agg(jsonb_build_object('name', 'batched', 'payload', jsonb_build_object('n', n), 'key', 'b' || n)) from generate_series(0, 2) n))`,
    );
    await poll(async () => {
      const states = await Promise.all(rows.map(async ({ id }) => (await job(id))?.state));
      return states.toSorted();
    }).toEqual([done, done, dead]);
    const failed = await app.sql("select last_error from mainstay.jobs where name = 'batched' and state = 5");
    expect(JSON.stringify(failed)).toContain("not this one");
  });

  test("run on time", async () => {
    await poll(() => app.sql("select at from ticks limit 2")).toHaveLength(2);
    const ticks = await app.sql<{ at: string }>("select distinct at from ticks");
    expect(ticks).toHaveLength((await app.sql("select from ticks")).length);
    // One that runs each second would leave 86,400 rows a day.
    expect(await app.sql("select from mainstay.jobs where name = 'mainstay.cron/tick' and state >= 4")).toEqual([]);
  });

  test("X13 a provider's event is verified at the entrance and handled once", async () => {
    const body = JSON.stringify({ id: "evt_9", type: "charge.succeeded" });
    const send = (secret: string) => {
      const time = Math.floor(Date.now() / 1_000);
      const signature = createHmac("sha256", secret).update(`${time}.${body}`).digest("hex");
      return fetch(`${app.url}/functions/v1/pay`, {
        method: "POST",
        body,
        headers: { "stripe-signature": `t=${time},v1=${signature}` },
      });
    };
    const forged = await send("whsec_forged");
    expect([forged.status, await forged.json()]).toEqual([401, { code: "BAD_SIGNATURE", message: expect.any(String) }]);
    for (let times = 0; times < 3; times++) {
      const answer = await send("whsec_test");
      expect([answer.status, await answer.json()]).toEqual([200, { received: true }]);
    }
    await poll(() => app.sql("select event, kind from payments")).toEqual([
      { event: "evt_9", kind: "charge.succeeded" },
    ]);
    await poll(() => app.sql("select from mainstay.jobs where name = 'mainstay.inbound/pay' and state < 4")).toEqual(
      [],
    );
    expect(await app.sql("select event from payments")).toHaveLength(1);
  });

  test("of one name in two files run in neither, and both are told", async () => {
    const said = app.observations.flatMap((one) =>
      one.kind === "functions.diagnostic" ? [`${one.file} ${one.message}`] : [],
    );
    const both = '"same" is defined in functions/pay.ts and in functions/same.ts: none of them runs.';
    expect(said).toContain(`functions/pay.ts ${both}`);
    expect(said).toContain(`functions/same.ts ${both}`);
    expect(said).toContain(`functions/pay.ts "mainstay.mine": names that begin with "mainstay." are the server's own.`);
    const id = await enqueue("same", {});
    await enqueue("adds", { a: 0, b: 0 }).then((other) => poll(() => job(other)).toMatchObject({ state: done }));
    expect((await job(id))!.state).toBe(0);
  });
});
