import { on } from "@mainstay/functions";

const patient = { maxAttempts: 10_000 };
/** Another one in the code that comes after this. */
const version = 1;

on("bookings", "*", { ...patient, name: "bookings" }, async (change, ctx) => {
  const { id, v } = change.row as { id: number; v: number };
  await ctx.complete(async (tx) => {
    await tx.sql`insert into public.seen (page, event, id, v, job, version)
      values ('bookings', ${change.id}, ${id}, ${v}, ${ctx.job.id}, ${version})`;
  });
});

on("bulk", "insert", { ...patient, name: "bulk", order: "none" }, async (change, ctx) => {
  const { id } = change.row as { id: number };
  await ctx.complete(async (tx) => {
    await tx.sql`insert into public.seen (page, event, id, v, job, version)
      values ('bulk', ${change.id}, ${id}, ${id}, ${ctx.job.id}, ${version})`;
  });
});
