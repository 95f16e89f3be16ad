import { cron, type JobContext, job, on } from "@mainstay/functions";
import { type Observed, type Point, weatherUrl } from "./_shared/weather.ts";

/** Places that are asked for at once: the service takes a hundred. */
const atOnce = 50;

interface Place extends Point {
  readonly id: number;
}

/** Every hour, for all places where something is on within a week. A failing service is asked again by the next attempt, and then by the next hour. */
cron("7 * * * *", { name: "weather-import", maxAttempts: 3 }, (_run, ctx) => importWeather(ctx, null));

/** A new slot does not wait for the hour. */
on("slots", "insert", { name: "weather-for-slot", order: "none" }, async ({ row }, ctx) => {
  await ctx.complete((tx) => tx.jobs.enqueue("import-weather", { place: Number(row.place_id) }));
});

job("import-weather", { maxAttempts: 5 }, ({ place }: { place: number }, ctx) => importWeather(ctx, place));

/** @param only this place; `null`: all that matter */
async function importWeather(ctx: JobContext, only: number | null): Promise<{ imported: number }> {
  const places = await ctx.transaction(
    (tx) => tx.sql<Place>`
      select p.id, p.lat, p.lng from public.places p
      where p.id = ${only}::bigint or ${only}::bigint is null and p.id in (
        select s.place_id from public.slots s where s.starts_at between now() and now() + interval '7 days')
      order by p.id`,
  );
  let imported = 0;
  for (let from = 0; from < places.length; from += atOnce) {
    const some = places.slice(from, from + atOnce);
    const url = weatherUrl(ctx, some);
    if (url === null) return { imported };
    // A job may wait: better late than failed.
    const { observations } = await ctx.http.json<Observed>(url, { timeoutMs: 5_000, retries: 3 });
    const rows = some.flatMap(({ id }, at) =>
      observations[at] === undefined ? [] : [{ place_id: id, ...observations[at] }],
    );
    imported += await keep(ctx, rows);
    await ctx.progress(Math.min(1, (from + atOnce) / places.length));
  }
  return { imported };
}

/** Done twice it is as done once, and an older observation replaces no newer one. */
async function keep(ctx: JobContext, rows: readonly object[]): Promise<number> {
  const kept = await ctx.transaction(
    (tx) => tx.sql`
      insert into public.weather (place_id, sky, temperature_c, observed_at)
      select place_id, sky, temperature_c, observed_at
      from jsonb_to_recordset(${{ rows }}::jsonb -> 'rows') as r (place_id bigint, sky text, temperature_c numeric, observed_at timestamptz)
      on conflict (place_id) do update
        set sky = excluded.sky, temperature_c = excluded.temperature_c, observed_at = excluded.observed_at
        where weather.observed_at < excluded.observed_at
      returning place_id`,
  );
  return kept.length;
}
