/** The first lines of a function of each kind. Short, and each does what it says as it is. */
export const templates = {
  http: (name: string) => `import { serve } from "@mainstay/functions";

/** \`/functions/v1/${name}\`, for callers with a key of this project. \`ctx.db\` is the database as whoever calls. */
serve(async (request, ctx) => {
  const { name = "world" } = request.method === "POST" ? await request.json() : {};
  ctx.log.info("greeted", { name });
  return Response.json({ message: \`Hello \${name}\`, user: ctx.user?.id ?? null });
});
`,
  job: (name: string) => `import { job, serve } from "@mainstay/functions";

/** Runs soon after it was enqueued, and again when it throws: what it does must bear to be done twice. */
job("${name}", { maxAttempts: 5 }, async (payload: { to: string }, ctx) => {
  ctx.log.info("working", { to: payload.to, attempt: ctx.job.attempt });
  await ctx.progress(0.5);
  return { done: payload.to };
});

/** \`/functions/v1/${name}\` enqueues one. Whoever sends the same \`key\` again gets the job that there is. */
serve(async (request, ctx) => {
  const { to = "nobody", key } = await request.json();
  return Response.json(await ctx.jobs.enqueue("${name}", { to }, key === undefined ? {} : { key }), { status: 202 });
});
`,
  cron: (name: string) => `import { cron } from "@mainstay/functions";

/** Every day at eight: minute, hour, day of the month, month, day of the week. Once for each time, however many servers there are. */
cron("0 8 * * *", { name: "${name}", timeZone: "UTC" }, async (run, ctx) => {
  ctx.log.info("due", { scheduledAt: run.scheduledAt.toISOString() });
});
`,
  change: (name: string, table: string) => `import { on } from "@mainstay/functions";

/** After each row that was committed, whoever wrote it. At least once: \`change.id\` is the same when it comes again. */
on(${JSON.stringify(table)}, "insert", { name: "${name}" }, async (change, ctx) => {
  ctx.log.info("inserted", { change: change.id, row: change.row });
});
`,
  webhook: (name: string) => `import { webhook } from "@mainstay/functions";

/** \`/functions/v1/${name}\` is the address to give to Stripe; its secret stands in functions/.env: STRIPE_WEBHOOK_SECRET=whsec_… */
webhook({ provider: "stripe", secret: "STRIPE_WEBHOOK_SECRET" }, async (event, ctx) => {
  switch (event.type) {
    case "payment_intent.succeeded":
      ctx.log.info("paid", { event: event.id });
      break;
    default:
      ctx.log.debug("not of interest", { type: event.type });
  }
});
`,
} as const;

export type TemplateKind = keyof typeof templates;
export const templateKinds = Object.keys(templates) as readonly TemplateKind[];
