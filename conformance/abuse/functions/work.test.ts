import { execFileSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type FunctionsServer, type Listener, listen, startFunctions } from "./server.ts";

let app: FunctionsServer;
let receiver: Listener;

/** Ways for a handler to fail, by the word that it is given. */
const failing = `const fail = async (how) => {
  if (how === "throws") throw new Error("it threw");
  if (how === "odd") throw { toString() { throw new Error("odd"); } };
  if (how === "nothing") throw undefined;
  if (how === "rejects") { Promise.reject(new Error("nobody caught it")); await new Promise((r) => setTimeout(r, 5000)); }
  if (how === "timer") { setTimeout(() => { throw new Error("in a timer"); }, 1); await new Promise((r) => setTimeout(r, 5000)); }
  if (how === "exits") process.exit(1);
  if (how === "loops") for (;;);
  if (how === "circle") { const a = {}; a.a = a; return a; }
};`;

beforeAll(async () => {
  receiver = await listen();
  app = await startFunctions(
    {
      "jobs.ts": `import { job, batchJob } from "@mainstay/functions"; ${failing}
        job("failing", { maxAttempts: 2, retryFirstMs: 10 }, ({ how }) => fail(how));
        job("charge", async ({ n }, ctx) => { await ctx.complete(async (tx) => { await tx.sql\`insert into ledger (n) values (\${n})\`; }); });
        batchJob("many", { size: 5, maxAttempts: 1 }, async (payloads) => { await fail(payloads[0].how); });`,
      "reacts.ts": `import { on } from "@mainstay/functions"; ${failing}
        on("events", "insert", { maxAttempts: 1 }, async ({ row }, ctx) => { if (row.how !== "fine") await fail(row.how); await ctx.admin.from("seen").insert({ n: row.id }); });`,
      "ticks.ts": `import { cron } from "@mainstay/functions"; ${failing}
        cron("* * * * * *", { name: "failing-tick", maxAttempts: 1 }, () => fail("throws"));`,
      "hook.ts": `import { webhook } from "@mainstay/functions"; ${failing}
        webhook({ provider: "github", secret: "HOOK_SECRET", maxAttempts: 1 }, ({ body }) => fail(body.how));`,
      "http.ts": `${failing} export default async (request) => Response.json(await fail(new URL(request.url).searchParams.get("how")) ?? "fine");`,
      "steals.ts": `export default async (request, ctx) => Response.json({
          own: await ctx.jobs.enqueue("mainstay.webhook", { delivery: "x" }).then(() => "made", (e) => e.code ?? e.message),
          net: await ctx.jobs.enqueue("mainstay.net", { request: "1" }).then(() => "made", (e) => e.code ?? e.message),
          seen: await ctx.jobs.get(new URL(request.url).searchParams.get("id")),
          cancelled: await ctx.jobs.cancel(new URL(request.url).searchParams.get("id")),
          retried: await ctx.jobs.retry(new URL(request.url).searchParams.get("id")),
        });`,
      "ask.ts": `export default async (request, ctx) => { const url = await request.json(); 
          return Response.json(await ctx.http.request(url, { retries: 1, timeoutMs: 1000 }).then((r) => r.status, (e) => e.name + " " + (e.code ?? e.message))); };`,
    },
    {
      sql: `create table ledger (n int); create table events (id int primary key, how text); create table seen (n int);
        create table things (id int primary key generated always as identity, note text);
        grant all on all tables in schema public to service_role; grant all on all sequences in schema public to service_role;`,
      settings: {
        functions: {
          functionsBlockedMs: 300,
          functionsGraceMs: 200,
          functionsAllowedHosts: [`127.0.0.1:${receiver.port}`],
        },
        webhooks: {
          webhookAllowedHosts: ["127.0.0.1"],
          webhookRetryFirstMs: 50,
          webhookMaxAttempts: 3,
          webhookBreakerFailures: 3,
          webhookTimeoutMs: 500,
        },
      },
    },
  );
  expect((await app.call("http?how=none")).text).toBe('"fine"');
});
afterAll(async () => {
  await app?.stop();
  await receiver?.stop();
});
beforeEach(() => {
  receiver.heard.length = 0;
});

/** The child of this process that runs functions; `NaN` while there is none. */
function functionsProcess(): number {
  const children = execFileSync("ps", ["-o", "pid=,args=", "--ppid", String(process.pid)], { encoding: "utf8" });
  return Number.parseInt(children.split("\n").find((line) => line.includes("/supervisor")) ?? "", 10);
}

const ways = ["throws", "odd", "nothing", "rejects", "timer", "exits", "loops"];
const ended = 4;
const states = async (name: string): Promise<readonly number[]> =>
  (await app.sql<{ state: number }>("select state from mainstay.jobs where name = $1", [name])).map(
    ({ state }) => state,
  );

describe("X09 whatever fails takes nothing else along", () => {
  test("X09 in requests", async () => {
    for (const how of [...ways, "circle"]) {
      const [failed, fine] = await Promise.all([app.call(`http?how=${how}`), app.call("http?how=none")]);
      expect.soft([how, failed.status >= 500]).toEqual([how, true]);
      expect.soft(failed.text).not.toMatch(/it threw|nobody caught|\.ts|at /);
      // In a thread of its own, or after it.
      expect.soft([200, 500]).toContain(fine.status);
    }
    expect((await app.call("http?how=none")).status).toBe(200);
  });

  test("X09 in jobs, batches, reactions and webhooks: each fails by itself, and what comes after is done", async () => {
    for (const [at, how] of ways.entries()) {
      await app.sql("select mainstay.enqueue('failing', jsonb_build_object('how', $1::text))", [how]);
      await app.sql("select mainstay.enqueue('many', jsonb_build_object('how', $1::text))", [how]);
      await app.sql("insert into events values ($1, $2), ($1 + 100, 'fine')", [at, how]);
      const body = JSON.stringify({ how });
      const signature = `sha256=${createHmac("sha256", "hook-secret-of-the-project").update(body).digest("hex")}`;
      const took = await app.call("hook", { as: null, body, headers: { "x-hub-signature-256": signature } });
      expect.soft(took.status).toBe(200);
    }
    await expect.poll(async () => (await states("failing")).filter((state) => state > ended)).toHaveLength(ways.length);
    await expect
      .poll(async () => (await states("mainstay.inbound/hook")).filter((state) => state > ended))
      .toHaveLength(ways.length);
    await expect.poll(() => app.sql("select from seen")).toHaveLength(ways.length);
    await app.sql("select mainstay.enqueue('charge', '{\"n\": 1}')");
    await expect.poll(() => app.sql("select n from ledger")).toEqual([{ n: 1 }]);
  });

  test("X09 on time: a schedule whose run fails is due again", async () => {
    await expect.poll(async () => (await states("mainstay.cron/failing-tick")).length).toBeGreaterThan(1);
  });
});

describe("X11 X18 a job is done once", () => {
  test("X11 whatever becomes of the process that runs it, its effect is there once", async () => {
    await app.sql("truncate ledger");
    await app.sql("select mainstay.enqueue('charge', jsonb_build_object('n', n)) from generate_series(1, 100) n");
    for (const done of [0, 20]) {
      await expect
        .poll(async () => (await app.sql("select from ledger")).length, { interval: 5 })
        .toBeGreaterThanOrEqual(done);
      await expect.poll(functionsProcess).toBeGreaterThan(0);
      process.kill(functionsProcess(), "SIGKILL");
      await expect.poll(async () => (await app.call("http?how=none")).status).toBe(200);
    }
    await expect.poll(() => app.sql("select from ledger")).toHaveLength(100);
    const twice = await app.sql("select n from ledger group by n having count(*) > 1");
    expect(twice).toEqual([]);
  });

  test("X18 a time of day that a caller gives orders nothing and keeps nothing back", async () => {
    await app.sql("truncate ledger");
    for (const [n, at] of [
      [1, "1970-01-01"],
      [2, "-infinity"],
      [3, "now"],
    ] as const)
      await app
        .sql(`select mainstay.enqueue('charge', jsonb_build_object('n', $1::int), run_at => '${at}')`, [n])
        .catch(() => {});
    await expect.poll(async () => (await app.sql("select n from ledger")).length).toBeGreaterThanOrEqual(2);
  });

  test("X24 a function has no jobs of the server's, whatever their id", async () => {
    receiver.answer = (_, response) => void response.writeHead(503).end();
    await app.sql("select net.http_get($1)", ["https://192.0.2.1/"]);
    const [job] = await app.sql<{ id: string }>("select id from mainstay.jobs where name like 'mainstay.%' limit 1");
    const said = await app.ask<Record<string, unknown>>(`steals?id=${job!.id}`);
    expect(said).toMatchObject({ seen: null, cancelled: false, retried: false });
    expect([said.own, said.net]).not.toContain("made");
  });
});

describe("X12 a place that does not answer as it should", () => {
  const send = async (): Promise<void> => {
    await app.sql("insert into things (note) values ('storm')");
  };
  const attempts = () =>
    app.sql<{ n: number }>("select count(*)::int as n from mainstay.webhook_attempts").then(([row]) => row!.n);

  test("X12 is asked less, and not before it says, and by one at first", async () => {
    await app.sql("select mainstay.create_webhook('storm', $1, 'things')", [`${receiver.url}/hook`]);
    await expect
      .poll(async () => (await app.sql("select from mainstay.log_cursors where name = 'webhooks'")).length)
      .toBe(1);
    receiver.answer = (_, response) => void response.writeHead(429, { "retry-after": "3600" }).end();
    await expect
      .poll(
        async () => {
          await send();
          return receiver.heard.length;
        },
        { interval: 100 },
      )
      .toBeGreaterThan(0);
    for (let i = 0; i < 30; i++) await send();
    const count = await app
      .sql<{ n: number }>("select count(*)::int as n from mainstay.webhook_deliveries")
      .then(([row]) => row!.n);
    // What had begun when it answered for the first time may have come; nothing after it.
    await expect.poll(attempts).toBeGreaterThan(0);
    const heard = receiver.heard.length;
    expect(heard).toBeLessThanOrEqual(20);
    for (let i = 0; i < 10; i++) await send();
    await expect
      .poll(async () => (await app.sql("select from mainstay.webhook_deliveries")).length)
      .toBeGreaterThanOrEqual(count);
    expect(receiver.heard.length).toBeLessThanOrEqual(heard + 1);
    await app.sql("select mainstay.drop_webhook('storm')");
  });

  test.each([
    ["hangs", () => {}],
    ["cuts the line", (_: unknown, response: { destroy(): void }) => response.destroy()],
    ["answers 500", (_: unknown, response: { writeHead(s: number): { end(): void } }) => response.writeHead(500).end()],
    [
      "answers without end",
      (_: unknown, response: { write(s: string): boolean; on(e: string, f: () => void): unknown }) => {
        const more = () => {
          while (response.write("x".repeat(65_536)));
        };
        response.on("drain", more);
        response.on("error", () => {});
        more();
      },
    ],
  ] as const)("X12 that %s: functions and requests of the database come to an end", async (_what, answer) => {
    receiver.answer = answer as unknown as Listener["answer"];
    await app.sql("truncate net._http_response");
    await app.sql("select net.http_get($1, timeout_milliseconds := 500)", [receiver.url]);
    const asked = await app.call("ask", { json: receiver.url });
    expect(asked.status).toBe(200);
    expect(JSON.parse(asked.text)).not.toBe(200);
    await expect.poll(async () => (await app.sql("select from net._http_response")).length).toBe(1);
    expect(receiver.heard.length).toBeLessThanOrEqual(4);
  });
});

describe("X03 X12 what leaves the server", () => {
  test("X08 X03 has no headers but those that are named: no line ends in names and values", async () => {
    receiver.answer = (_, response) => void response.end("ok");
    await app.sql("truncate net._http_response");
    const tries = [
      { "x-a": "b\r\nx-injected: 1" },
      { "x-a\r\nx-injected": "1" },
      { "x-a": "b\nx-injected: 1" },
      { "x-a": "b\u0000c" },
      { "transfer-encoding": "chunked", "content-length": "3", connection: "x-injected", host: "evil.example" },
      { "x-å": "1" },
    ];
    for (const headers of tries)
      await app.sql("select net.http_post($1, headers := $2)", [receiver.url, JSON.stringify(headers)]).catch(() => {});
    await expect.poll(async () => (await app.sql("select from net.http_request_queue")).length).toBe(0);
    for (const { headers } of receiver.heard) expect.soft(headers).not.toHaveProperty("x-injected");
    for (const headers of tries.slice(0, 4)) {
      const made = await app
        .sql("select mainstay.create_webhook('inject', $1, 'things', headers => $2)", [
          receiver.url,
          JSON.stringify(headers),
        ])
        .then(
          () => "made",
          () => "refused",
        );
      expect.soft([headers, made]).toEqual([headers, "refused"]);
    }
  });

  test("X03 A28 has its secret in no row, line, answer or dump", async () => {
    await app.sql("select mainstay.create_webhook('secret', $1, 'things')", [receiver.url]);
    receiver.heard.length = 0;
    await expect
      .poll(
        async () => {
          await app.sql("insert into things (note) values ('signed')");
          return receiver.heard.length;
        },
        { interval: 100 },
      )
      .toBeGreaterThan(0);
    const kept = await app.sql<{ text: string }>(
      `select string_agg(row_to_json(s)::text, '') || (select string_agg(row_to_json(w)::text, '') from mainstay.webhooks w)
        || coalesce((select string_agg(row_to_json(d)::text, '') from mainstay.webhook_deliveries d), '') as text from mainstay.webhook_secrets s`,
    );
    expect(kept[0]!.text.length).toBeGreaterThan(100);
    expect(kept[0]!.text).not.toContain("whsec_");
    const told = JSON.stringify(app.observations, (_, value: unknown) =>
      typeof value === "bigint" ? String(value) : value,
    );
    expect(told).not.toContain("whsec_");
    expect(told).not.toContain("hook-secret-of-the-project");
    for (const { headers } of receiver.heard) {
      expect.soft(headers["webhook-signature"]).toMatch(/^v1,/);
      expect.soft(JSON.stringify(headers)).not.toContain(app.serviceRoleKey);
    }
  });
});
