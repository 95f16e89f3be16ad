import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "pg-sql2";
import { openNode } from "./open-node.testing.ts";

// A node in a process of its own, to be killed. argv: the database's URL. What it does is written into tables of the test.
const [url] = process.argv.slice(2);
const { jobs, db } = openNode(url!, { jobsConcurrency: 8, jobsMaxLosses: 1_000, jobsMaxAttempts: 1_000 });
const pause = () => sleep(Math.random() * 4);

jobs.handle({
  name: "exact",
  async run({ payload }, run) {
    await pause();
    // The effect and the end are one.
    await db.transaction(async (tx) => {
      await tx.query(sql`insert into effects (name, n) values ('exact', ${sql.value(payload as number)})`);
      await run.settle(tx);
    });
    return { kind: "settled" };
  },
});
jobs.handle({
  name: "often",
  async run({ payload, attempt }) {
    await pause();
    if (attempt === 1 && Math.random() < 0.1) throw new Error("no luck");
    await db.query(sql`insert into effects (name, n) values ('often', ${sql.value(payload as number)})`);
    return { kind: "done" };
  },
});
jobs.handle({
  name: "batch",
  size: 5,
  async runBatch(all) {
    await pause();
    const numbers = all.map(({ payload }) => payload as number);
    await db.query(sql`insert into effects (name, n) select 'batch', unnest(${sql.value(numbers)}::int[])`);
    return new Map();
  },
});
jobs.handle({
  name: "ordered",
  async run({ payload, id, claim }, run) {
    const { key, n } = payload as { key: string; n: number };
    await db.query(
      sql`insert into spans (key, n, job, claim) values (${sql.value(key)}, ${sql.value(n)}, ${sql.value(id)}, ${sql.value(claim)})`,
    );
    await pause();
    if (Math.random() < 0.05) throw new Error("no luck");
    await db.transaction(async (tx) => {
      await tx.query(sql`insert into ordered (key, n) values (${sql.value(key)}, ${sql.value(n)})`);
      await run.settle(tx);
    });
    return { kind: "settled" };
  },
});
await jobs.start();
process.send?.("ready");
