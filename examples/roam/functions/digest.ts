import { batchJob, type Context, cron } from "@mainstay/functions";
import { addressOf, inWords } from "./_shared/bookings.ts";

type Due = { readonly host: string; readonly dueAt: string };

interface Guest {
  readonly host_id: string;
  readonly title: string;
  readonly starts_at: string;
  readonly guest: string;
  /** `null` where none was imported. */
  readonly weather: string | null;
}

/** Every evening, by the clock on Lisbon's walls, those hear of it who have guests within a day. One that was missed is not caught up: it would be of yesterday. */
cron("0 19 * * *", { name: "digest", timeZone: "Europe/Lisbon", missed: "skip" }, async ({ scheduledAt }, ctx) => {
  const dueAt = scheduledAt.toISOString();
  return await ctx.complete(async (tx) => {
    const hosts = await tx.sql<{ host_id: string }>`
      select distinct host_id from public.slots
      where is_booked and starts_at >= ${dueAt} and starts_at < ${dueAt}::timestamptz + interval '1 day'`;
    for (const { host_id: host } of hosts)
      await tx.jobs.enqueue("digest", { host, dueAt }, { key: `${host}/${dueAt}` });
    return { hosts: hosts.length };
  });
});

/** Fifty hosts cost one question to the database. What fails for one of them comes again for that one. */
batchJob("digest", { size: 50 }, async (batch: readonly Due[], ctx) => {
  const guests = await guestsOf(ctx, batch);
  const failed: Record<number, string> = {};
  await Promise.all(
    batch.map(async ({ host, dueAt }, at) => {
      try {
        const own = guests.get(`${host}/${dueAt}`);
        const to = await addressOf(ctx, host);
        if (own !== undefined && to !== null) await write(ctx, { host, dueAt }, to, own);
      } catch (error) {
        failed[at] = error instanceof Error ? error.message : String(error);
      }
    }),
  );
  return { failed };
});

async function guestsOf(ctx: Context, batch: readonly Due[]): Promise<ReadonlyMap<string, readonly Guest[]>> {
  const rows = await ctx.transaction(
    (tx) => tx.sql<Guest & { due_at: string }>`
      select d."dueAt" as due_at, s.host_id, s.title, s.starts_at, coalesce(p.display_name, p.username) as guest,
        w.sky || ', ' || w.temperature_c || ' °C' as weather
      from jsonb_to_recordset(${{ batch }}::jsonb -> 'batch') as d (host uuid, "dueAt" text)
      join public.slots s on s.host_id = d.host and s.starts_at >= d."dueAt"::timestamptz
        and s.starts_at < d."dueAt"::timestamptz + interval '1 day'
      join public.bookings b on b.slot_id = s.id
      join public.profiles p on p.id = b.guest_id
      left join public.weather w on w.place_id = s.place_id
      order by s.starts_at`,
  );
  return Map.groupBy(rows, ({ host_id, due_at }) => `${host_id}/${due_at}`);
}

/** The mail, and that it was written: both or neither, so that a batch that comes again writes to nobody twice. */
async function write(ctx: Context, { host, dueAt }: Due, to: string, guests: readonly Guest[]): Promise<void> {
  const lines = guests.map(
    ({ guest, starts_at, title, weather }) =>
      `${inWords(starts_at)}: ${title}, with ${guest}${weather ? ` (${weather})` : ""}`,
  );
  await ctx.transaction(async (tx) => {
    const [first] = await tx.sql`
      insert into private.digests (host_id, due_at) values (${host}, ${dueAt}) on conflict do nothing returning host_id`;
    if (first === undefined) return;
    const subject =
      guests.length === 1 ? "One guest by tomorrow evening" : `${guests.length} guests by tomorrow evening`;
    await tx.mail.send({ to, subject, text: lines.join("\n") });
  });
}
