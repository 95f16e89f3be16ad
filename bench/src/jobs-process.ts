import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { openDatabase } from "@mainstay/server/database";
import { type JobHandler, jobsSettings, openJobs } from "@mainstay/server/jobs";

// One node that runs jobs, and measures itself. argv: the database's URL, what to measure, how many jobs there are.
const [url, what, amount] = process.argv.slice(2) as [string, "single" | "kept" | "batched" | "latency", string];
const count = Number(amount);
const settings = Object.fromEntries(
  Object.entries(jobsSettings).map(([name, setting]) => [name, setting.default]),
) as Parameters<typeof openJobs>[0]["settings"];
const db = openDatabase({ connectionString: url, max: 4 });
const jobs = openJobs({
  db,
  nodes: { id: randomUUID(), onChange: () => () => {} },
  settings,
  observe: (one) => console.error(one),
});

const begunAtMs = new Map<number, number>();
let [left, firstAtMs] = [count, 0];
const allDone = Promise.withResolvers<void>();
const begin = (many: number): void => {
  if (firstAtMs === 0) firstAtMs = performance.now();
  left -= many;
};

const single: JobHandler = {
  name: "bench",
  keepsDone: what === "kept",
  async run({ payload }) {
    if (what === "latency") begunAtMs.set(payload as number, performance.now());
    begin(1);
    if (left === 0) allDone.resolve();
    return { kind: "done" };
  },
};
if (what === "batched") {
  jobs.handle({
    name: "bench",
    size: 100,
    async runBatch(all) {
      begin(all.length);
      if (left === 0) allDone.resolve();
      return new Map();
    },
  });
} else jobs.handle(single);

await jobs.start();
if (what === "latency") {
  const tookMs: number[] = [];
  await sleep(500);
  for (let at = 0; at < count; at++) {
    const atMs = performance.now();
    await jobs.enqueue(db, [{ name: "bench", payload: at }]);
    while (!begunAtMs.has(at)) await new Promise(setImmediate);
    tookMs.push(begunAtMs.get(at)! - atMs);
    await sleep(5 + Math.random() * 20);
  }
  process.send!({ tookMs });
} else {
  await allDone.promise;
  // With the last one settled it is through.
  await jobs.stop();
  process.send!({ perSecond: (count * 1_000) / (performance.now() - firstAtMs) });
}
await jobs.stop();
await db.close();
process.disconnect();
