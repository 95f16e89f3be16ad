import { type BootedApp, boot } from "@mainstay/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ann, jwtSecret } from "../app.ts";

let app: BootedApp;
beforeAll(async () => {
  app = await boot({
    settings: {
      identity: { jwtSecret, jwtAlgorithm: "HS256" },
      data: { schemas: ["public", "pgmq_public"] },
      // Nothing may change what these tests look at while they do.
      functions: { functionsEnabled: false },
    },
    sql: `create table things (id int primary key, note text);
      grant all on things to service_role;
      select pgmq.create('letters');
      select pgmq.send('letters', '{"secret": "of the queue"}');
      select mainstay.create_webhook('hook', 'https://example.com/secret-path', 'things', headers => '{"authorization": "secret-header"}');
      select mainstay.enqueue('charge', '{"secret": "of a job"}');
      select cron.schedule('nightly', '0 3 * * *', 'select ''secret command''');
      insert into mainstay.inbound_events (function, event_id) values ('pay', 'evt_secret');`,
  });
});
afterAll(() => app?.stop());

/** Runs SQL as the role, in a transaction that is undone. @returns the rows, or the SQLSTATE */
async function as(role: string, statement: string): Promise<readonly object[] | string> {
  const claims = JSON.stringify({ role, sub: "6f0c8d2e-0000-4000-8000-00000000000a" });
  await app.sql("begin");
  try {
    await app.sql(`select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)`, [role, claims]);
    return await app.sql(statement);
  } catch (error) {
    return (error as { code: string }).code;
  } finally {
    await app.sql("rollback");
  }
}
const denied = "42501";
const people = ["anon", "authenticated"];

describe("B03 what people of an app may do to what works for it", () => {
  const attempts: readonly (readonly [string, string])[] = [
    ["enqueue a job", "select mainstay.enqueue('charge', '{}')"],
    ["enqueue many", `select mainstay.enqueue_many('[{"name": "charge"}]')`],
    ["enqueue one of the server's own", "select mainstay.enqueue('mainstay.webhook', '{}')"],
    ["wake a workflow", "select mainstay.send_event('paid', '{}')"],
    ["read jobs", "select * from mainstay.jobs"],
    ["write jobs", "insert into mainstay.jobs (name) values ('charge')"],
    ["cancel a job", "select mainstay.cancel_job(id) from mainstay.jobs"],
    ["cancel any job", "select mainstay.cancel_job(gen_random_uuid())"],
    ["run a job again", "select mainstay.retry_job(gen_random_uuid())"],
    ["settle a job", "select mainstay.settle_job(gen_random_uuid(), 1, 1, '{}', false)"],
    ["claim jobs", "select mainstay.look_for_jobs(1, '{charge}')"],
    ["let jobs in", "select mainstay.promote_jobs()"],
    ["read steps", "select * from mainstay.job_steps"],
    ["read events", "select * from mainstay.job_events"],
    ["read schedules", "select * from mainstay.schedules"],
    ["read what providers sent", "select * from mainstay.inbound_events"],
    ["read answers of other services", "select * from mainstay.http_cache"],
    ["make a webhook", "select mainstay.create_webhook('mine', 'https://example.com', 'public.things')"],
    ["drop a webhook", "select mainstay.drop_webhook('hook')"],
    ["turn a webhook off", "select mainstay.enable_webhook('hook', false)"],
    ["take a webhook's secret", "select mainstay.rotate_webhook_secret('hook', '0')"],
    ["read webhooks", "select * from mainstay.webhooks"],
    ["read secrets of webhooks", "select * from mainstay.webhook_secrets"],
    ["read deliveries", "select * from mainstay.webhook_deliveries"],
    ["read attempts", "select * from mainstay.webhook_attempts"],
    ["read requests that are kept", "select * from net.http_request_queue"],
    ["read answers that are kept", "select * from net._http_response"],
    ["collect an answer", "select net.http_collect_response(1)"],
    ["keep a request past its checks", "select net._enqueue('GET', 'http://127.0.0.1/', '{}', '{}', null, 1000)"],
    ["read hooks", "select * from supabase_functions.hooks"],
    ["schedule SQL", "select cron.schedule('* * * * *', 'select 1')"],
    [
      "schedule SQL as somebody else",
      "select cron.schedule_in_database('x', '* * * * *', 'select 1', 'postgres', 'postgres')",
    ],
    ["read what is scheduled", "select * from cron.job"],
    ["schedule by hand", "insert into cron.job (schedule, command) values ('* * * * *', 'select 1')"],
    ["unschedule", "select cron.unschedule('nightly')"],
    ["read what schedules did", "select * from cron.job_run_details"],
    ["read a queue", "select * from pgmq.read('letters', 1, 1)"],
    ["read a queue's table", "select * from pgmq.q_letters"],
    ["read a queue's archive", "select * from pgmq.a_letters"],
    ["list queues", "select * from pgmq.meta"],
    ["send to a queue", "select pgmq.send('letters', '{}')"],
    ["send to a queue by the API's function", "select pgmq_public.send('letters', '{}')"],
    ["take from a queue", "select * from pgmq.pop('letters')"],
    ["take from a queue by the API's function", "select * from pgmq_public.pop('letters')"],
    ["empty a queue", "select pgmq.purge_queue('letters')"],
    ["make a queue", "select pgmq.create('mine')"],
    ["drop a queue", "select pgmq.drop_queue('letters')"],
  ];

  test.each(people)("B03 %s: nothing of it", async (role) => {
    const got: string[] = [];
    for (const [what, statement] of attempts) {
      const outcome = await as(role, statement);
      // What is there to be looked at is empty for them; all else is refused.
      if (outcome !== denied && !(Array.isArray(outcome) && outcome.length === 0 && /^(?:read|list)/.test(what))) {
        got.push(`${what}: ${JSON.stringify(outcome)}`);
      }
    }
    expect(got).toEqual([]);
  });

  test("B03 none of these schemas is served, whatever is asked for", async () => {
    for (const schema of ["mainstay", "net", "cron", "pgmq", "supabase_functions"]) {
      for (const key of [app.anonKey, ann, app.serviceRoleKey]) {
        const headers = {
          apikey: app.anonKey,
          authorization: `Bearer ${key}`,
          "accept-profile": schema,
          "content-profile": schema,
        };
        const answer = await fetch(`${app.url}/rest/v1/jobs`, { headers });
        expect([answer.status, (await answer.json()) as unknown]).toMatchObject([406, { code: "PGRST106" }]);
        const call = await fetch(`${app.url}/rest/v1/rpc/http_get`, {
          method: "POST",
          headers: { ...headers, "content-type": "application/json" },
          body: '{"url":"http://127.0.0.1"}',
        });
        expect(call.status).toBe(406);
      }
    }
  });

  test("B03 a queue that is served gives strangers neither messages nor names", async () => {
    const call = (name: string, body: object, key: string) =>
      fetch(`${app.url}/rest/v1/rpc/${name}`, {
        method: "POST",
        headers: {
          apikey: app.anonKey,
          authorization: `Bearer ${key}`,
          "content-profile": "pgmq_public",
          "content-type": "application/json",
        },
        body: JSON.stringify(body),
      });
    for (const key of [app.anonKey, ann]) {
      for (const [name, body] of [
        ["pop", { queue_name: "letters" }],
        ["read", { queue_name: "letters", sleep_seconds: 1, n: 1 }],
        ["send", { queue_name: "letters", message: {} }],
        ["archive", { queue_name: "letters", message_id: 1 }],
        ["delete", { queue_name: "letters", message_id: 1 }],
      ] as const) {
        const answer = await call(name, body, key);
        expect.soft([name, answer.status >= 400]).toEqual([name, true]);
        expect.soft(await answer.text()).not.toContain("of the queue");
      }
    }
    expect(await app.sql("select message from pgmq.q_letters")).toEqual([{ message: { secret: "of the queue" } }]);
  });
});

describe("B01 names in SQL", () => {
  const names = [
    `letters'; drop table things; --`,
    `letters"; drop table things; --`,
    "letters') , (select pg_sleep(5)), ('",
    "$$letters$$",
    "pg_catalog.pg_authid",
    "../letters",
    "x".repeat(100),
    "",
    "q\u0001",
  ];

  test("B01 of queues are names or nothing", async () => {
    for (const name of names) {
      const quoted = `'${name.replaceAll("'", "''")}'`;
      for (const call of ["pgmq.create", "pgmq.drop_queue", "pgmq.purge_queue", "pgmq.pop", "pgmq.metrics"]) {
        const outcome = await as("service_role", `select ${call}(${quoted})`);
        expect.soft(["57014", "08P01"], `${call} ${name}`).not.toContain(outcome);
      }
      const conditional = await as("service_role", `select pgmq.read('letters', 0, 1, ${quoted}::jsonb)`);
      expect.soft(conditional, name).toBe("22P02");
    }
    expect(await app.sql("select to_regclass('public.things') is not null as there")).toEqual([{ there: true }]);
  });

  test("B01 of jobs, webhooks and schedules are text", async () => {
    for (const name of names.slice(0, 4)) {
      const quoted = `'${name.replaceAll("'", "''")}'`;
      await as("service_role", `select mainstay.enqueue(${quoted}, '{}', ${quoted}, ${quoted})`);
      await as("postgres", `select cron.schedule(${quoted}, ${quoted}, ${quoted})`);
      await as(
        "postgres",
        `select mainstay.create_webhook(${quoted}, 'https://example.com', 'public.things', filter => ${quoted})`,
      );
    }
    expect(await app.sql("select to_regclass('public.things') is not null as there")).toEqual([{ there: true }]);
  });
});

describe("B03 functions that run as their owner", () => {
  test("B03 look nowhere but where they mean to: each has a search_path of its own, without a schema that others write to", async () => {
    const open = await app.sql<{ name: string }>(`
      select p.oid::regprocedure::text as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where p.prosecdef and n.nspname in ('mainstay', 'net', 'cron', 'pgmq', 'pgmq_public', 'supabase_functions')
        and not exists (select from unnest(p.proconfig) as setting
          where setting in ('search_path=""', 'search_path=', 'search_path=pg_catalog, pg_temp'))`);
    expect(open).toEqual([]);
  });

  test("B03 are called by nobody who was not named: none of them is PUBLIC's", async () => {
    const open = await app.sql<{ name: string }>(`
      select p.oid::regprocedure::text as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where p.prosecdef and n.nspname in ('mainstay', 'net', 'cron', 'pgmq', 'pgmq_public', 'supabase_functions')
        and (p.proacl is null or exists (select from aclexplode(p.proacl) where grantee = 0))
        and p.prorettype <> 'event_trigger'::regtype`);
    expect(open).toEqual([]);
  });

  test("B03 are not misled by objects in a caller's own schemas", async () => {
    // What a caller may make: temporary tables and functions, which come first where a search_path says nothing.
    const outcome = await as(
      "authenticated",
      `create temp table jobs (id int); create temp table http_request_queue (id int);
       create function pg_temp.nextval(regclass) returns bigint language sql as 'select 1::bigint';
       create function pg_temp.lower(text) returns text language plpgsql as $$ begin raise exception 'mine'; end $$;
       set local search_path = pg_temp, public;
       select net.http_get('https://example.com/')`,
    );
    if (Array.isArray(outcome)) expect(outcome).toHaveLength(1);
    else expect(outcome).toBe(denied);
  });

  test("B03 make the server call no place that a trigger's own text does not name", async () => {
    // `net.http_*` are everybody's in SQL, since triggers run as whoever writes; over the API they are nobody's.
    for (const key of [app.anonKey, ann]) {
      for (const name of ["http_get", "http_post", "http_delete", "http_request"]) {
        const answer = await fetch(`${app.url}/rest/v1/rpc/${name}`, {
          method: "POST",
          headers: { apikey: app.anonKey, authorization: `Bearer ${key}`, "content-type": "application/json" },
          body: JSON.stringify({ url: "https://example.com/" }),
        });
        expect.soft(answer.status).toBe(404);
      }
    }
    expect(await app.sql("select from net.http_request_queue")).toEqual([]);
  });
});

describe("B02 X24 what tells of jobs", () => {
  test("B02 X24 answers strangers alike whether it is there or not", async () => {
    const [job] = await app.sql<{ id: string }>("select id from mainstay.jobs where name = 'charge'");
    for (const role of people) {
      const known = await as(role, `select mainstay.cancel_job('${job!.id}')`);
      const unknown = await as(role, "select mainstay.cancel_job('00000000-0000-4000-8000-000000000000')");
      expect(known).toBe(unknown);
      expect(known).toBe(denied);
    }
  });

  test("B02 is nothing that a role could join to: no foreign key, view or type leads there from what is served", async () => {
    const leading = await app.sql(`
      select c.conrelid::regclass::text from pg_constraint c join pg_class t on t.oid = c.confrelid join pg_namespace n on n.oid = t.relnamespace
      where c.contype = 'f' and n.nspname in ('mainstay', 'net', 'cron') and c.connamespace = 'public'::regnamespace`);
    expect(leading).toEqual([]);
  });
});
