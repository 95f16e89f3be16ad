import { clusterUrl } from "@mainstay/testing";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { readSettings, type Values } from "../../../kernel/settings.ts";
import { parseConnectionUrl } from "../../postgres/external/index.ts";
import { createRoleLogins } from "../../postgres/role-login.ts";
import { jobsSettings } from "../settings.ts";
import { JobsBench, quick } from "../testing.ts";
import { createJobTime, type JobTime } from "../time.ts";

let bench: JobsBench;
const roles: string[] = [];
const closers: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  bench = await JobsBench.open();
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await bench.close();
  // Roles are the cluster's, which other tests use: those of this database go with it.
  const cluster = new pg.Client({ connectionString: clusterUrl() });
  await cluster.connect();
  for (const role of roles.splice(0)) await cluster.query(`drop role if exists ${role}`);
  await cluster.query(`do $$ declare login text; begin
    for login in select rolname from pg_roles where rolname like 'mainstay\\_as\\_%' loop execute format('drop role if exists %I', login); end loop;
  exception when others then null; end $$`);
  await cluster.end();
});

interface Node {
  readonly time: JobTime;
  stop(): Promise<void>;
}

async function node(settings: Partial<Values<typeof jobsSettings>> = {}): Promise<Node> {
  const { jobs, db, stop } = bench.node(settings);
  const url = parseConnectionUrl(bench.database.url);
  const administrator = { ...url, tls: { ...url.tls, mode: "disable" } } as const;
  const time = createJobTime({
    db,
    jobs,
    logins: createRoleLogins({ db, administrator, secret: Buffer.from("secret of these tests") }),
    settings: { ...readSettings(jobsSettings, { env: {} }).values, ...quick, ...settings },
    observe: () => {},
  });
  await jobs.start();
  await time.start();
  const stopAll = async () => {
    await time.stop();
    await stop();
  };
  closers.push(stopAll);
  return { time, stop: stopAll };
}

const sql = <R extends object>(text: string): Promise<R[]> => bench.sql<R>(text);

/** As a project's migrations run. */
async function asRole<R extends object>(role: string, text: string): Promise<R[]> {
  const client = new pg.Client({ connectionString: bench.database.url });
  await client.connect();
  try {
    await client.query(`set role ${role}`);
    const results: unknown = await client.query(text);
    return ([results].flat().at(-1) as pg.QueryResult).rows as R[];
  } finally {
    await client.end();
  }
}

/** @param options of `create role`; `bypassrls` is what `postgres` has where it is no superuser, which it is in this cluster */
async function newRole(options = ""): Promise<string> {
  const role = `cron_test_${Math.random().toString(36).slice(2, 10)}`;
  roles.push(role);
  await sql(
    `create role ${role} nologin ${options}; grant usage on schema cron to ${role}; grant create, usage on schema public to ${role}`,
  );
  return role;
}

interface Details {
  readonly jobid: string;
  readonly status: string;
  readonly return_message: string | null;
  readonly username: string;
}
const details = () => sql<Details>("select * from cron.job_run_details order by runid");
const eventually = (check: () => Promise<void>) => vi.waitFor(check, { timeout: 15_000, interval: 30 });

/** Schedules it as the role, has it be due at once, and waits for what comes of it. */
async function runOnce(role: string, command: string): Promise<Details> {
  const [{ schedule: jobid } = { schedule: "" }] = await asRole<{ schedule: string }>(
    role,
    `select cron.schedule('0 0 1 1 *', ${pg.escapeLiteral(command)})`,
  );
  await sql("update mainstay.schedules set missed = 'all' where owner = 'cron'");
  await eventually(async () =>
    expect(await sql("select from mainstay.schedules where next_run_at is null")).toEqual([]),
  );
  await sql(
    `update mainstay.schedules set next_run_at = timestamptz '2026-01-01 00:00Z' where name = '${jobid}'; notify mainstay_schedules`,
  );
  let found: Details | undefined;
  await eventually(async () => {
    found = (await details()).find((run) => run.jobid === jobid && ["succeeded", "failed"].includes(run.status));
    expect(found).toBeDefined();
  });
  await sql(`select cron.unschedule(${jobid})`);
  return found!;
}

describe("the face", () => {
  test("takes and refuses schedules as pg_cron does", async () => {
    const good = [
      "* * * * *",
      "*/5 * * * *",
      "0 0 * * 1-5",
      "30 3 * * 6",
      "0 12 $ * *",
      "0 13 2 6 *",
      "0,30 8-18/2 1,15 jan-mar,Dec MON-fri",
      "0 1 * * 7",
      "10 seconds",
      "1 second",
      "59 SECONDS",
      "@daily",
      "@restart",
      "5-59/15 * * * sun,wed",
    ];
    for (const schedule of good) {
      expect(
        await asRole("postgres", `select cron.schedule(${pg.escapeLiteral(schedule)}, 'select 1')`),
        schedule,
      ).toHaveLength(1);
    }
    const bad = [
      "a".repeat(1_000),
      "",
      "* * * *",
      "* * * * * *",
      "5 secondc",
      "50 seconds c",
      "*/0 10 * * *",
      "-1 * * * *",
      "*/-1 10 * * *",
      "*/60 10 * * *",
      "* * * 13 *",
      "* * * 0 *",
      "*/5000000000 10 * * *",
      "-1 seconds",
      "0 seconds",
      "60 seconds",
      "10000000000 seconds",
      "@restar",
      "0 11 $foo * *",
      "0 $ * * *",
      "1/20 * * * *",
      "5-64/30 * * * *",
      "* 24 * * *",
      "* * 32 * *",
      "* * * * 8",
      "10-5 * * * *",
      "* * * mond *",
      "x * * * *",
      "1,,2 * * * *",
    ];
    for (const schedule of bad) {
      await expect(
        asRole("postgres", `select cron.schedule(${pg.escapeLiteral(schedule)}, 'select 1')`),
        schedule,
      ).rejects.toMatchObject({
        code: "22023",
        message: `invalid schedule: ${schedule}`,
        hint: "Use cron format (e.g. 5 4 * * *), or interval format '[1-59] seconds'",
      });
    }
    expect(await sql("select count(*)::int from mainstay.schedules where owner = 'cron'")).toEqual([
      { count: good.length },
    ]);
  });

  test("updates what has the same name, alters, and unschedules by name and id", async () => {
    const schedule = (when: string, command: string) =>
      asRole<{ schedule: string }>("postgres", `select cron.schedule('nightly', '${when}', '${command}')`);
    const [first] = await schedule("0 10 * * *", "VACUUM");
    const [second] = await schedule("0 11 * * *", "VACUUM FULL");
    expect(second).toEqual(first);
    const jobs =
      "select jobid, schedule, command, database = current_database() as here, username, active, jobname, nodename from cron.job";
    const jobid = first!.schedule;
    expect(await asRole("postgres", jobs)).toEqual([
      {
        jobid,
        schedule: "0 11 * * *",
        command: "VACUUM FULL",
        here: true,
        username: "postgres",
        active: true,
        jobname: "nightly",
        nodename: "localhost",
      },
    ]);
    await asRole("postgres", `select cron.alter_job(${jobid}, schedule := '5 11 * * *', active := false)`);
    expect(await asRole("postgres", jobs)).toMatchObject([{ schedule: "5 11 * * *", active: false }]);
    expect(await sql("select from mainstay.schedules")).toEqual([]);
    await asRole("postgres", `select cron.alter_job(job_id := ${jobid}, active := true, command := 'select 2')`);
    expect(await sql("select expression from mainstay.schedules")).toEqual([{ expression: "5 11 * * *" }]);
    expect(await asRole("postgres", "select cron.unschedule('nightly')")).toEqual([{ unschedule: true }]);
    expect(await sql("select from mainstay.schedules")).toEqual([]);
    const [other] = await asRole<{ schedule: string }>("postgres", "select cron.schedule('* * * * *', 'select 1')");
    expect(await asRole("postgres", `select cron.unschedule(${other!.schedule})`)).toEqual([{ unschedule: true }]);
    for (const [call, message] of [
      ["cron.unschedule('no_such_job')", "could not find valid entry for job 'no_such_job'"],
      ["cron.unschedule(4711)", "could not find valid entry for job 4711"],
      ["cron.alter_job(4711)", "no updates specified"],
      ["cron.alter_job(4711, active := true)", "Job 4711 does not exist or you don't own it"],
      ["cron.alter_job(null, 'x')", "job_id can not be NULL"],
      ["cron.schedule(null, '* * * * *', 'select 1')", "job_name can not be NULL"],
      ["cron.schedule_in_database('x', '* * * * *', 'select 1', 'nowhere')", 'database "nowhere" does not exist'],
      [
        "cron.schedule_in_database('x', '* * * * *', 'select 1', 'template1')",
        `jobs run in the database "${bench.database.name}" only`,
      ],
    ]) {
      await expect(asRole("postgres", `select ${call}`), call).rejects.toMatchObject({ message });
    }
  });

  test("roles see, change and end their own jobs, and make none for others", async () => {
    const [one, other] = [await newRole(), await newRole()];
    const [made] = await asRole<{ schedule: string }>(one, "select cron.schedule('mine', '0 0 1 1 *', 'select 1')");
    const jobid = made!.schedule;
    expect(await asRole(other, "select * from cron.job")).toEqual([]);
    expect(await asRole(one, "select jobname from cron.job")).toEqual([{ jobname: "mine" }]);
    await expect(asRole(other, `select cron.unschedule(${jobid})`)).rejects.toThrow("could not find valid entry");
    await expect(asRole(other, "select cron.unschedule('mine')")).rejects.toThrow("could not find valid entry");
    await expect(
      asRole(other, `insert into cron.job (schedule, command, username) values ('* * * * *', 'x', '${one}')`),
    ).rejects.toMatchObject({ code: "42501" });
    await expect(asRole(other, `select cron.alter_job(${jobid}, command := 'x')`)).rejects.toMatchObject({
      code: "42501",
    });
    // Who is not bound by row level security still makes no superuser's job its own.
    const deputy = await newRole("bypassrls");
    await sql(`grant execute on all functions in schema cron to ${deputy}`);
    const [theirs] = await sql<{ schedule: string }>("select cron.schedule('0 0 1 1 *', 'select 1')");
    for (const attempt of [
      `update cron.job set command = 'select 2' where jobid = ${theirs!.schedule}`,
      `update cron.job set username = 'postgres' where jobid = ${jobid}`,
      "insert into cron.job (schedule, command, username) values ('* * * * *', 'x', 'postgres')",
      "select cron.schedule_in_database('x', '* * * * *', 'select 1', current_database(), 'postgres')",
    ]) {
      await expect(asRole(deputy, attempt), attempt).rejects.toMatchObject({ code: "42501" });
    }
    await expect(asRole(deputy, `select cron.alter_job(${jobid}, username := 'anon')`)).rejects.toThrow(
      "must be superuser to alter username",
    );
    for (const stranger of ["anon", "authenticated", "service_role"]) {
      await expect(asRole(stranger, "select cron.schedule('* * * * *', 'select 1')"), stranger).rejects.toMatchObject({
        code: "42501",
      });
    }
  });
});

test("times are GMT's, or those of the zone that is set for the database", async () => {
  await node();
  await asRole("postgres", "select cron.schedule('gmt', '30 9 * * *', 'select 1')");
  await sql(`alter database ${bench.database.name} set cron.timezone = 'Asia/Kathmandu'`);
  await asRole("postgres", "select cron.schedule('local', '30 9 * * *', 'select 1')");
  await eventually(async () =>
    expect(
      await sql(`select jobname, to_char(next_run_at at time zone 'UTC', 'HH24:MI') as at from mainstay.schedules
        join cron.job on jobid::text = name where next_run_at is not null order by jobid`),
    ).toEqual([
      { jobname: "gmt", at: "09:30" },
      { jobname: "local", at: "03:45" },
    ]),
  );
});

test("@restart is due once with every start of PostgreSQL, and not for having been scheduled", async () => {
  const one = await node();
  await asRole("postgres", "select cron.schedule('@restart', 'select 1')");
  await eventually(async () =>
    expect(await sql("select from mainstay.schedules where next_run_at = 'infinity'")).toHaveLength(1),
  );
  await one.stop();
  expect(await details()).toEqual([]);
  // As if PostgreSQL had been started since.
  await sql("update mainstay.schedules set defined_at = pg_postmaster_start_time() - interval '1 h'");
  await node();
  await eventually(async () =>
    expect(await details()).toMatchObject([{ status: "succeeded", return_message: "1 row" }]),
  );
  await (await node()).stop();
  expect(await details()).toHaveLength(1);
});

describe("a run", () => {
  test("says what the last statement gave, as pg_cron words it", async () => {
    await node();
    await asRole(
      "postgres",
      "create table public.things (n int); insert into public.things select generate_series(1, 5)",
    );
    for (const [command, status, message] of [
      ["select 1", "succeeded", "1 row"],
      ["select * from public.things", "succeeded", "5 rows"],
      ["delete from public.things where n > 3", "succeeded", "DELETE 2"],
      ["insert into public.things values (9); update public.things set n = n + 1;", "succeeded", "UPDATE 4"],
      ["create table public.more ()", "succeeded", "CREATE TABLE"],
      ["vacuum public.things", "succeeded", "VACUUM"],
      ["select 1/0", "failed", "ERROR:  division by zero"],
      ["copy public.things from stdin", "failed", /COPY not supported/],
      ["", "succeeded", "0 rows"],
    ] as const) {
      const run = await runOnce("postgres", command);
      expect([run.status, run.return_message], command).toEqual([
        status,
        expect.stringMatching(message instanceof RegExp ? message : `^${message}$`),
      ]);
    }
    // Statements of one command are one transaction: nothing of this stays.
    const failed = await runOnce("postgres", "insert into public.things values (77); select 1/0");
    expect(failed.status).toBe("failed");
    expect(await sql("select from public.things where n = 77")).toEqual([]);
  });

  test("X23 is as the role that scheduled it, with its settings, and has no way back to more", async () => {
    await node();
    const role = await newRole();
    await sql(
      `alter role ${role} set statement_timeout = '4321ms'; alter role ${role} set search_path = 'elsewhere', public`,
    );
    await asRole(role, "create table public.seen (who text, path text, patience text)");
    const facts =
      "insert into public.seen select current_user, current_setting('search_path'), current_setting('statement_timeout')";
    expect(await runOnce(role, facts)).toMatchObject({ status: "succeeded", username: role });
    // Twice, and by another way: the login is there already.
    for (const back of [
      "reset role",
      "set role none",
      "select set_config('role', 'none', false)",
      "reset session authorization",
      "discard all",
    ]) {
      await runOnce(
        role,
        `${back}; insert into public.seen select current_user, 'after ${back.replaceAll("'", "")}', rolsuper::text from pg_roles where rolname = current_user`,
      );
    }
    for (const more of ["set role postgres", "set session authorization postgres", "create role evil superuser"]) {
      const run = await runOnce(role, `reset role; ${more}`);
      expect(run, more).toMatchObject({ status: "failed", return_message: expect.stringMatching(/permission denied/) });
    }
    const seen = await sql<{ who: string; path: string; patience: string }>("select * from public.seen");
    expect(seen[0]).toEqual({ who: role, path: "elsewhere, public", patience: "4321ms" });
    for (const { who, patience } of seen.slice(1)) {
      expect(who === role || who.startsWith("mainstay_as_"), who).toBe(true);
      expect(patience).toBe("false");
    }
    await sql(`drop table public.seen; drop owned by ${role}`);
  });

  test("of a job that takes longer than its interval waits, and one of them only", async () => {
    await node();
    await asRole("postgres", "create table public.runs (at timestamptz default clock_timestamp(), ended timestamptz)");
    await asRole(
      "postgres",
      "select cron.schedule('slow', '1 second', 'insert into public.runs values (clock_timestamp()); select pg_sleep(2); update public.runs set ended = clock_timestamp() where ended is null')",
    );
    await new Promise((resolve) => setTimeout(resolve, 7_000));
    const [{ waiting } = { waiting: 0 }] = await sql<{ waiting: number }>(
      "select count(*)::int as waiting from mainstay.jobs where name = 'mainstay.cron' and (state = 2 or (state = 0 and claimed_by is null))",
    );
    expect(waiting).toBeLessThanOrEqual(1);
    await sql("select cron.unschedule(jobid) from cron.job");
    await eventually(async () =>
      expect(await sql("select from mainstay.jobs where name = 'mainstay.cron' and state < 4")).toEqual([]),
    );
    const runs = await sql<{ at: Date; ended: Date }>("select * from public.runs order by at");
    expect(runs.length).toBeGreaterThanOrEqual(2);
    for (const [index, run] of runs.entries()) {
      if (index > 0) expect(run.at.getTime()).toBeGreaterThanOrEqual(runs[index - 1]!.ended.getTime());
    }
  });

  test("that hangs holds up no other job, and ends when it is killed", async () => {
    await node();
    await asRole("postgres", "select cron.schedule('hangs', '1 second', 'select pg_sleep(1000)')");
    await eventually(async () =>
      expect(
        await sql("select from cron.job_run_details where status = 'running' and job_pid is not null"),
      ).toHaveLength(1),
    );
    expect(await runOnce("postgres", "select 'other'")).toMatchObject({ status: "succeeded" });
    await sql("select cron.unschedule('hangs')").catch(() => {});
    await asRole(
      "postgres",
      "select cron.unschedule('hangs') where exists (select from cron.job where jobname = 'hangs')",
    );
    await sql("select pg_terminate_backend(job_pid) from cron.job_run_details where status = 'running'");
    await eventually(async () => {
      const [run] = await details();
      expect(run).toMatchObject({ status: "failed", return_message: expect.stringMatching(/terminating connection/) });
    });
  });

  test("X11 whose node dies is not run again, and says so", async () => {
    const first = await node();
    await asRole(
      "postgres",
      "create table public.runs (n int); select cron.schedule('dies', '0 0 1 1 *', 'insert into public.runs values (1)')",
    );
    // As a node leaves it that died while the command ran: the step is kept, the row says running.
    const [{ jobid } = { jobid: "" }] = await sql<{ jobid: string }>("select jobid from cron.job");
    await first.stop();
    closers.length = 0;
    await sql(
      `insert into cron.job_run_details (jobid, runid, status, username, command) values (${jobid}, 500, 'running', 'postgres', 'x'), (${jobid}, 501, 'starting', 'postgres', 'x')`,
    );
    for (const runid of [500, 501]) {
      await sql(`with job as (select mainstay.enqueue('mainstay.cron', '{"payload": {"jobid": ${jobid}}}') as id)
        insert into mainstay.job_steps (job_id, name, value) select id, 'run', '"${runid}"' from job`);
    }
    await node();
    await eventually(async () => expect(await sql("select from mainstay.jobs where state < 4")).toEqual([]));
    expect((await details()).map(({ status, return_message }) => [status, return_message])).toEqual([
      ["failed", "server restarted"],
      // This one had not begun: it is run.
      ["succeeded", "INSERT 0 1"],
    ]);
    expect(await sql("select * from public.runs")).toEqual([{ n: 1 }]);
  });

  test("X18 over two nodes each time is run once", async () => {
    const nodes = [await node(), await node()];
    await asRole("postgres", "create table public.runs (at timestamptz default clock_timestamp())");
    // A run that is done leaves nothing among the jobs.
    await sql(`create table public.put (key text);
      create function public.note() returns trigger language plpgsql as $$ begin insert into public.put values (new.key); return new; end $$;
      create trigger note after insert on mainstay.jobs for each row execute function public.note()`);
    await asRole("postgres", "select cron.schedule('tick', '1 seconds', 'insert into public.runs default values')");
    await new Promise((resolve) => setTimeout(resolve, 3_200));
    await nodes[0]!.stop();
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    await nodes[1]!.stop();
    closers.length = 0;
    const keys = await sql<{ key: string }>("select key from public.put order by key");
    const times = keys.map(({ key }) => Date.parse(key.split("/")[2]!));
    expect(times.length).toBeGreaterThanOrEqual(4);
    expect(times).toEqual(times.map((_, index) => times[0]! + index * 1_000));
    const [{ count } = { count: 0 }] = await sql<{ count: number }>("select count(*)::int from public.runs");
    expect(await sql("select from mainstay.jobs where state >= 4")).toEqual([]);
    const left = await sql("select from mainstay.jobs");
    expect(count).toBe(keys.length - left.length);
  });

  test("is remembered for as long, and as often, as settings say", async () => {
    await sql(`insert into cron.job_run_details (runid, status, start_time, end_time) values
      (nextval('cron.runid_seq'), 'succeeded', now() - interval '8 days', now() - interval '8 days'),
      (nextval('cron.runid_seq'), 'succeeded', now() - interval '6 days', now() - interval '6 days')`);
    await node();
    await eventually(async () => expect(await details()).toHaveLength(1));
    await sql("select setval('cron.runid_seq', 200000)");
    await node();
    await eventually(async () => expect(await details()).toEqual([]));
  });
});
