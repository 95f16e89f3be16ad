import { batchJob, cron, type JobContext, job } from "@mainstay/functions";

// Whatever is killed, a job of these comes again until it has done what it has to: what is counted is how often that was.
const patient = { maxAttempts: 10_000, retryFirstMs: 20, retryMaxMs: 300 };

/** Writes into the book that is outside of everything that dies. Its answer says that it is written. */
async function tell(ctx: Pick<JobContext, "fetch" | "secrets">, page: string, n: number): Promise<void> {
  const answer = await ctx.fetch(`${ctx.secrets.BOOK}/${page}/${n}?node=${ctx.secrets.NODE_NAME}`, { method: "POST" });
  if (!answer.ok) throw new Error(`The book answers ${answer.status}`);
}

const effect = (ctx: JobContext, page: string, n: number): Promise<void> =>
  ctx.complete(async (tx) => {
    await tx.sql`insert into public.effects (page, n, job) values (${page}, ${n}, ${ctx.job.id})`;
  });

job<{ n: number }>("exact", patient, ({ n }, ctx) => effect(ctx, "exact", n));
job<{ n: number }>("ordered", patient, ({ n }, ctx) => effect(ctx, "ordered", n));

job<{ n: number }>("often", patient, ({ n }, ctx) => tell(ctx, "often", n));

batchJob<{ n: number }>("together", { ...patient, size: 20 }, async (payloads, ctx) => {
  await Promise.all(payloads.map(({ n }) => tell(ctx, "together", n)));
});

// The key makes one of all that its attempts put in.
job<{ n: number }>("parent", patient, async ({ n }, ctx) => {
  await ctx.jobs.enqueue("exact", { n }, { key: `exact/${n}` });
});

// Long enough to be cancelled in the middle.
job<{ n: number }>("revoked", patient, async ({ n }, ctx) => {
  await new Promise((resolve) => setTimeout(resolve, n % 40));
  await effect(ctx, "revoked", n);
});

job<{ n: number }>("workflow", patient, async ({ n }, ctx) => {
  await ctx.step("first", () => tell(ctx, "first", n));
  await tell(ctx, "behind-first", n);
  await ctx.stepInTransaction("second", async (tx) => {
    await tx.sql`insert into public.effects (page, n, job) values ('second', ${n}, ${ctx.job.id})`;
  });
  await ctx.sleep("a while", 100);
  await ctx.step("awake", () => tell(ctx, "awake", n));
  const event = await ctx.waitForEvent<{ n: number }>("go", { key: String(n) });
  await effect(ctx, "workflow", event?.n ?? -1);
});

// Holds on until the book answers.
job<{ n: number }>("held", patient, ({ n }, ctx) => tell(ctx, "held", n));

cron("* * * * * *", { ...patient, name: "every-second", missed: "all" }, async ({ scheduledAt }, ctx) => {
  await effect(ctx, "tick", scheduledAt.getTime() / 1_000);
});

cron("* * * * * *", { ...patient, name: "without-missed", missed: "skip" }, async ({ scheduledAt }, ctx) => {
  await effect(ctx, "skip", scheduledAt.getTime() / 1_000);
});

cron("*/3 * * * * *", { ...patient, name: "last-missed", missed: "once" }, async ({ scheduledAt }, ctx) => {
  await effect(ctx, "once", scheduledAt.getTime() / 1_000);
});
