import { templateDatabase } from "@mainstay/testing";
import { expect, test } from "vitest";
import { folderOf, openBench } from "../../postgres/migrate/testing.ts";

// In the shapes in which guides and pulled schemas have them; names and texts are ours.
const migrations = {
  "20260101000000_extensions.sql": `
    create extension if not exists "pg_cron" with schema "pg_catalog";
    create extension if not exists "pg_net" with schema "extensions";
    grant usage on schema cron to postgres;
    grant all privileges on all tables in schema cron to postgres;
  `,
  "20260102000000_again.sql": "create extension pg_cron with schema pg_catalog;",
  "20260103000000_jobs.sql": `
    create table events (id bigint generated always as identity, event_time timestamptz default now());
    -- Delete old data on Saturday at 3:30am (GMT)
    select cron.schedule('saturday-cleanup', '30 3 * * 6', $$ delete from events where event_time < now() - interval '1 week' $$);
    select cron.schedule ('vacuum', '0 3 * * *', 'VACUUM');
    select cron.schedule('call-db-function', '*/5 * * * *', 'SELECT hello_world()');
    select cron.schedule('call-db-procedure', '5 seconds', 'CALL do_something()');
    select cron.schedule(
      'invoke-function-every-half-minute',
      '30 seconds',
      $$
      select net.http_post(
          url := 'https://project.example/functions/v1/hello',
          headers := jsonb_build_object('Content-Type', 'application/json', 'Authorization', 'Bearer ' || 'KEY'),
          body := concat('{"time": "', now(), '"}')::jsonb,
          timeout_milliseconds := 5000
        ) as request_id;
      $$
    );
    select cron.schedule('0 0 $ * *', $$ insert into events default values; $$);
    select cron.unschedule('vacuum');
    do $$ begin
      if exists (select 1 from cron.job where jobname = 'call-db-procedure') then
        perform cron.unschedule('call-db-procedure');
      end if;
    end $$;
    select cron.alter_job(job_id := (select jobid from cron.job where jobname = 'call-db-function'), active := false);
  `,
};

test("migrations with schedules, as they are published, run", async () => {
  const bench = await openBench(await templateDatabase());
  try {
    const { warnings } = await bench.up(await folderOf(migrations));
    expect(warnings.filter((warning) => /pg_cron|not available/.test(warning))).toEqual([]);
    expect(await bench.rows("select jobname, schedule, active from cron.job order by jobid")).toEqual([
      { jobname: "saturday-cleanup", schedule: "30 3 * * 6", active: true },
      { jobname: "call-db-function", schedule: "*/5 * * * *", active: false },
      { jobname: "invoke-function-every-half-minute", schedule: "30 seconds", active: true },
      { jobname: null, schedule: "0 0 $ * *", active: true },
    ]);
    expect(
      await bench.rows("select expression from mainstay.schedules where owner = 'cron' order by name::int"),
    ).toEqual([{ expression: "30 3 * * 6" }, { expression: "30 seconds" }, { expression: "0 0 $ * *" }]);
  } finally {
    await bench.close();
  }
});
