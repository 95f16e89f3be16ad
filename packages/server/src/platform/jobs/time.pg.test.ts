import { type BootedApp, boot } from "@mainstay/testing";
import { afterEach, expect, test, vi } from "vitest";

let app: BootedApp | null = null;
afterEach(async () => {
  await app?.stop();
  app = null;
});

test("a whole server runs what cron.schedule says, and stops although a command hangs", async () => {
  app = await boot({ sql: "create table public.ticks (n int)", settings: { jobs: { jobsStopMs: 500 } } });
  const { sql } = app;
  await sql("select cron.schedule('tick', '1 second', 'insert into public.ticks values (1)')");
  await vi.waitFor(async () => expect((await sql("select from public.ticks")).length).toBeGreaterThan(1), 10_000);
  await sql("select cron.unschedule('tick'); select cron.schedule('hangs', '1 second', 'select pg_sleep(600)')");
  const hanging = "select job_pid, status, return_message from cron.job_run_details where command like '%pg_sleep%'";
  await vi.waitFor(async () => expect(await sql(hanging)).toMatchObject([{ status: "running" }]), 10_000);
  await app.server.stop(AbortSignal.timeout(5_000));
  // Nothing of it goes on in PostgreSQL when the server is gone.
  await vi.waitFor(
    async () =>
      expect(
        await sql("select from pg_stat_activity where query = 'select pg_sleep(600)' and state = 'active'"),
      ).toEqual([]),
    10_000,
  );
  expect(await sql(hanging)).toMatchObject([{ status: "failed", return_message: "job canceled" }]);
});
