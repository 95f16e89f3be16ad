import { execFile } from "node:child_process";
import { createHmac } from "node:crypto";
import { join } from "node:path";
import { promisify } from "node:util";
import { type BootedApp, boot } from "@mainstay/testing";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Others, startOthers } from "./others.ts";
import { piecesOf } from "./pages.ts";
import { type GuideProject, writeProject } from "./project.ts";

const pages = [
  "functions.md",
  "jobs.md",
  "schedules.md",
  "changes.md",
  "webhooks.md",
  "queues.md",
  "calling-services.md",
  "mails.md",
  "existing-supabase-project.md",
];
const command = join(import.meta.dirname, "../../packages/cli/bin/mainstay.mjs");

/** The command, from outside, beside the server that runs. */
const mainstay = async (args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
  const { PATH = "", HOME = "" } = process.env;
  return await promisify(execFile)(process.execPath, [command, ...args], { env: { PATH, HOME, ...env } }).catch(
    (error: { readonly stdout: string }) => error,
  );
};

let others: Others;
let project: GuideProject;
let app: BootedApp;
let guest: SupabaseClient;
let guestId: string;

const stateless = { auth: { persistSession: false, autoRefreshToken: false } };
const poll = <T>(of: () => T) => expect.poll(of, { interval: 20, timeout: 45_000 });
/** Runs a piece of a page as the code of an app. @param gives what is looked at afterwards */
const run = (piece: string, client: SupabaseClient, gives: string): Promise<unknown> =>
  Object.getPrototypeOf(async () => {}).constructor("app", `${piece}; return ${gives};`)(client);
const job = async (id: string) =>
  (await app.sql<{ state: number; result: unknown }>("select state, result from mainstay.jobs where id = $1", [id]))[0];
const [waiting, done] = [3, 4];

beforeAll(async () => {
  others = await startOthers();
  project = writeProject(pages, (text) =>
    others
      .here(text)
      .replace('"1 day")', '"1 ms")')
      // It asks for the forecast, too, and five past the hour may be now.
      .replace('"5 * * * *"', '"0 0 29 2 *"'),
  );
  app = await boot({
    projectDir: project.dir,
    settings: {
      auth: { inbox: "on" },
      functions: { functionsAllowedHosts: [others.host] },
      webhooks: { webhookAllowedHosts: [others.host] },
      data: { schemas: ["public", "pgmq_public"] },
      jobs: { schedulesLookMs: 100 },
    },
  });
  const anybody = createClient(app.url, app.anonKey, stateless);
  const { data, error } = await anybody.auth.signUp({ email: "guest@example.com", password: "correct horse battery" });
  if (error) throw error;
  guestId = data.user!.id;
  guest = anybody;
  await app.sql("insert into public.stays (name, free) values ('Hut', 1), ('Castle', 0)");
  // The log begins when transactions of all databases of this PostgreSQL that were under way are over.
  const isReady = `select from mainstay.log_cursors where name in ('functions', 'webhooks')`;
  await vi.waitFor(async () => expect(await app.sql(isReady)).toHaveLength(2), { timeout: 100_000, interval: 50 });
});
afterAll(async () => {
  await app?.stop();
  await others?.stop();
  project?.remove();
});

describe("what the pages show", () => {
  test("has no error of types, and loads as the pages say", async () => {
    const { stdout } = await mainstay(["functions", "check", "--json", "--dir", project.dir]);
    const { diagnostics, functions } = JSON.parse(stdout) as { diagnostics: unknown[]; functions: string[] };
    expect(diagnostics).toEqual([]);
    expect(functions).toHaveLength(project.files.filter((file) => file.endsWith(".ts")).length);
    expect(app.observations.filter(({ kind }) => kind === "functions.diagnostic")).toEqual([]);
  });
});

describe("functions.md", () => {
  test("greets, says who calls, and answers everybody where it says so", async () => {
    const [invoke = ""] = piecesOf("functions.md", "ts");
    expect(await run(invoke, guest, "{ data, error }")).toEqual({
      data: { message: "Hello Ada", user: guestId },
      error: null,
    });
    expect((await fetch(`${app.url}/functions/v1/hello`, { method: "POST", body: "{}" })).status).toBe(401);
    expect(await (await fetch(`${app.url}/functions/v1/status`)).json()).toEqual({ ok: true });
  });

  test("books once, as a transaction with its job, and shows each their own", async () => {
    const book = (stay: number, who = guest) => who.functions.invoke("book", { body: { stay } });
    others.answer("mail/send", 503, {});
    const { data } = await book(1);
    expect(data).toEqual({ id: 1 });
    const full = await book(1);
    expect(full.error?.context.status).toBe(409);
    const stranger = createClient(app.url, app.anonKey, stateless);
    expect((await book(1, stranger)).error?.context.status).toBe(401);
    expect((await guest.functions.invoke("my-bookings", { method: "GET" })).data).toEqual([
      { id: 1, status: "asked", stay: { name: "Hut" } },
    ]);
    expect((await stranger.functions.invoke("my-bookings", { method: "GET" })).data).toEqual([]);
  });

  test("streams", async () => {
    const { data } = await guest.functions.invoke("countdown");
    expect(await (data as Response).text()).toBe("data: 3\n\ndata: 2\n\ndata: 1\n\n");
  });
});

describe("jobs.md", () => {
  test("tries a job again, under one id, until it is done; a change of that is told", async () => {
    await poll(() => others.asked.filter(({ at }) => at === "mail/send").length).toBeGreaterThan(0);
    others.answer("mail/send", 200, {});
    others.answer("search/index", 200, { refused: [] });
    await poll(() => app.sql("select status from public.bookings")).toEqual([{ status: "confirmed" }]);
    const sent = others.asked.filter(({ at }) => at === "mail/send");
    expect(sent.length).toBeGreaterThan(1);
    expect(new Set(sent.map(({ headers }) => headers["idempotency-key"])).size).toBe(1);
    // changes.md: the confirmed row, and the batch its handler puts something into.
    await poll(() => others.asked.filter(({ at }) => at === "search/index").map(({ body }) => body)).toEqual([
      '[{"id":1}]',
    ]);
  });

  test("takes a job from SQL once for its key", async () => {
    const [enqueue = ""] = piecesOf("jobs.md", "sql");
    const [first] = await app.sql<{ enqueue: string }>(enqueue);
    const [second] = await app.sql<{ enqueue: string }>(enqueue);
    expect(first!.enqueue).toMatch(/^[0-9a-f-]{36}$/);
    expect(second).toEqual(first);
  });

  test("shows how far an export is, to whom it belongs", async () => {
    const { data } = await guest.functions.invoke("export", { method: "POST", body: {} });
    const { id } = data as { id: string };
    const look = (who: SupabaseClient) => who.functions.invoke(`export?id=${id}`, { method: "GET" });
    await poll(async () => (await look(guest)).data).toEqual({ state: "done", progress: 0.5, result: { bookings: 1 } });
    const other = createClient(app.url, app.anonKey, stateless);
    await other.auth.signUp({ email: "other@example.com", password: "correct horse battery" });
    expect((await look(other)).error?.context.status).toBe(404);
  });

  test("a workflow waits for its event, and goes on; the provider's webhook sends it, once", async () => {
    others.answer("pay/bills", 200, { id: "bill_1" });
    const [made] = await app.sql<{ id: string }>("select mainstay.enqueue('payment', '{\"booking\": 1}') as id");
    await poll(() => job(made!.id)).toMatchObject({ state: waiting });
    // webhooks.md
    const body = JSON.stringify({
      id: "evt_1",
      type: "checkout.session.completed",
      data: { object: { client_reference_id: "bill_1", amount_total: 120 } },
    });
    const send = async (secret: string) => {
      const time = Math.floor(Date.now() / 1_000);
      const signature = createHmac("sha256", secret).update(`${time}.${body}`).digest("hex");
      const headers = { "stripe-signature": `t=${time},v1=${signature}` };
      return (await fetch(`${app.url}/functions/v1/stripe`, { method: "POST", body, headers })).status;
    };
    expect([await send("whsec_forged"), await send("whsec_test"), await send("whsec_test")]).toEqual([401, 200, 200]);
    await poll(() => job(made!.id)).toMatchObject({ state: done, result: { status: "paid", amount: 120 } });
    expect(others.asked.filter(({ at }) => at === "pay/bills")).toHaveLength(1);
    expect(await app.sql("select from mainstay.jobs where name = 'ask-for-review'")).toHaveLength(1);
  });
});

describe("schedules.md", () => {
  test("makes up for a missed run once, and puts a job in for each guest", async () => {
    await app.sql("update public.bookings set status = 'confirmed'");
    await app.sql(
      "update mainstay.schedules set next_run_at = next_run_at - interval '3 days' where owner = 'functions' and name = 'digest'",
    );
    await poll(() =>
      app.sql("select payload ->> 'guest' as guest from mainstay.jobs where name = 'digest-for'"),
    ).toEqual([{ guest: guestId }]);
  });

  test("runs a command of cron.schedule, as its role", async () => {
    await app.sql(`insert into public.bookings (guest_id, stay_id, status, created_at)
      values ('${guestId}', 2, 'cancelled', now() - interval '2 years')`);
    await app.sql("select cron.alter_job(jobid, schedule => '1 second') from cron.job where jobname = 'clean-up'");
    await poll(() => app.sql("select from public.bookings where status = 'cancelled'")).toEqual([]);
    await poll(() => app.sql("select distinct status from cron.job_run_details where status <> 'running'")).toEqual([
      { status: "succeeded" },
    ]);
    await app.sql("select cron.unschedule('clean-up')");
  });
});

describe("webhooks.md", () => {
  test("a change that fits is sent, signed with the secret that the command prints", async () => {
    const sent = () => others.asked.filter(({ at }) => at === "erp/hooks");
    await app.sql("update public.bookings set status = 'paid' where id = 1");
    await poll(() => sent().at(-1)?.body).toBeDefined();
    const { headers, body } = sent().at(-1)!;
    expect(JSON.parse(body)).toMatchObject({
      type: "UPDATE",
      table: "bookings",
      record: { id: 1, status: "paid" },
      old_record: { id: 1 },
    });
    const env = { DATABASE_URL: app.databaseUrl };
    const { stdout } = await mainstay(["webhooks", "secret", "paid", "--dir", project.dir], env);
    const key = Buffer.from(/whsec_(\S+)/.exec(stdout)![1]!, "base64");
    const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
    expect(String(headers["webhook-signature"]).split(" ")).toContain(
      `v1,${createHmac("sha256", key).update(signed).digest("base64")}`,
    );
  });

  test("a request of SQL leaves after the commit, and not without one", async () => {
    const post = others.here(piecesOf("webhooks.md", "sql")[0]!);
    await app.sql(`begin; ${post}; rollback`);
    await app.sql(post);
    await poll(() => others.asked.filter(({ at }) => at === "erp/nightly").map(({ body }) => JSON.parse(body))).toEqual(
      [{ report: "bookings" }],
    );
  });

  test("a webhook without its secret takes nothing in", async () => {
    const answer = await fetch(`${app.url}/functions/v1/warehouse`, { method: "POST", body: "{}" });
    expect(answer.status).toBe(503);
  });
});

describe("queues.md", () => {
  test("does in SQL what it says", async () => {
    const [all = ""] = piecesOf("queues.md", "sql");
    for (const statement of all.split("\n").filter((line) => line !== "")) await app.sql(statement);
    expect(await app.sql("select from pgmq.q_arrivals")).toEqual([]);
  });

  test("serves the service role, and people as far as the policies say", async () => {
    const [piece = ""] = piecesOf("queues.md", "ts");
    const service = createClient(app.url, app.serviceRoleKey, stateless);
    expect(await run(piece, service, "data")).toMatchObject([{ message: { guest: "Ada" }, read_ct: 1 }]);
    const queues = guest.schema("pgmq_public");
    const send = (message: object) => queues.rpc("send", { queue_name: "arrivals", message });
    expect((await send({ guest: guestId })).error).toBeNull();
    expect((await send({ guest: "Ada" })).error?.code).toBe("42501");
    const read = await queues.rpc("read", { queue_name: "arrivals", sleep_seconds: 1, n: 1 });
    expect(read.error?.code).toBe("42501");
  });
});

describe("calling-services.md", () => {
  test("asks once, and answers with what it has", async () => {
    others.answer("weather/lisbon", 200, { degrees: 21 });
    const forecast = async () => (await guest.functions.invoke("weather")).data;
    expect(await forecast()).toMatchObject({ forecast: { degrees: 21 }, source: "network" });
    others.answer("weather/lisbon", 500, {});
    expect(await forecast()).toMatchObject({ forecast: { degrees: 21 }, source: "cache" });
    expect(others.asked.filter(({ at }) => at === "weather/lisbon")).toHaveLength(1);
  });
});

describe("the commands that the pages name", () => {
  const json = async (...args: readonly string[]) => {
    const { stdout } = await mainstay([...args, "--json", "--dir", project.dir], { DATABASE_URL: app.databaseUrl });
    return stdout;
  };

  test("show jobs, schedules and logs of what was tried here", async () => {
    const [jobs, schedules, logs] = await Promise.all([
      json("jobs", "list", "--name", "payment"),
      json("schedules", "list"),
      json("functions", "logs", "hello"),
    ]);
    expect(JSON.parse(jobs)).toMatchObject({ jobs: [{ name: "payment", state: "done", result: { status: "paid" } }] });
    expect(schedules).toContain("Europe/Lisbon");
    expect(logs).toContain("greeted");
  });
});

describe("mails.md", () => {
  test("sends a mail with the transaction that ends its job", async () => {
    await app.sql(`select mainstay.enqueue('welcome', '{"to": "ada@example.com"}')`);
    const inbox = async () => {
      const answer = await fetch(`${app.url}/inbox/api/messages?to=ada@example.com`);
      return ((await answer.json()) as { messages: { subject: string }[] }).messages.map(({ subject }) => subject);
    };
    await poll(inbox).toEqual(["Welcome aboard"]);
  });
});

describe("existing-supabase-project.md", () => {
  test("an edge function runs as it is, with its caller's token", async () => {
    expect((await guest.functions.invoke("hello-world")).data).toEqual({ hello: "guest@example.com" });
  });
});
