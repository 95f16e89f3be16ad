import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { percentile } from "./load.ts";
import type { Figure } from "./scenarios.ts";
import { databaseUrlOf, emptyProject, startServer } from "./server.ts";

type Measurement = "single" | "kept" | "batched" | "latency";

/** Jobs that are there before the node starts: enough for some seconds. */
const amounts: Readonly<Record<Measurement, number>> = { single: 60_000, kept: 40_000, batched: 120_000, latency: 200 };

/** Jobs through claim and completion, by one process that runs them, and how soon one begins that is put in when nothing else happens. */
export async function jobs({ port }: { readonly port: number }): Promise<Figure[]> {
  const project = emptyProject();
  try {
    const server = await startServer(project.dir, port);
    try {
      const url = await databaseUrlOf(project.dir);
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      try {
        return await measure(url, client);
      } finally {
        await client.end();
      }
    } finally {
      await server.stop();
    }
  } finally {
    project.remove();
  }
}

async function measure(url: string, client: pg.Client): Promise<Figure[]> {
  const rateOf = async (what: Measurement): Promise<number> => {
    await put(client, amounts[what]);
    const { perSecond } = await inProcess<{ perSecond: number }>(url, what);
    const { rows } = await client.query("select count(*)::int as n from mainstay.jobs where state < 4");
    if (rows[0].n !== 0) throw new Error(`${rows[0].n} jobs are left.`);
    await client.query("truncate mainstay.jobs");
    return perSecond;
  };
  const line = (name: string, perSecond: number, goal: number): Figure => ({
    name,
    value: `${Math.round(perSecond).toLocaleString("en-US")}/s`,
    against: `≥ ${goal.toLocaleString("en-US")}/s`,
    isMet: perSecond >= goal,
  });
  const single = await rateOf("single");
  const kept = await rateOf("kept");
  const batched = await rateOf("batched");
  const { tookMs } = await inProcess<{ tookMs: number[] }>(url, "latency");
  tookMs.sort((a, b) => a - b);
  const [half, most] = [percentile(tookMs, 0.5), percentile(tookMs, 0.95)];
  return [
    line("jobs one at a time, claimed and completed (one process)", single, 8_000),
    line("the same, every job kept when it is done", kept, 8_000),
    line("jobs in batches of 100, claimed and completed (one process)", batched, 25_000),
    {
      name: "from enqueueing to the start of the job, on an idle node (p95)",
      value: `${most.toFixed(1)} ms (p50 ${half.toFixed(1)} ms)`,
      against: "< 8 ms",
      isMet: most < 8,
    },
  ];
}

async function put(client: pg.Client, count: number): Promise<void> {
  const each = 5_000;
  for (let left = count; left > 0; left -= each) {
    await client.query(
      `select count(*) from mainstay.enqueue_many((
         select jsonb_agg(jsonb_build_object('name', 'bench', 'payload', jsonb_build_object('n', n, 'text', 'a note of some length')))
         from generate_series(1, $1::int) n))`,
      [Math.min(left, each)],
    );
  }
}

async function inProcess<Answer>(url: string, what: Measurement): Promise<Answer> {
  const child = fork(fileURLToPath(new URL("./jobs-process.ts", import.meta.url)), [url, what, String(amounts[what])]);
  const ended = once(child, "exit");
  const answer = await Promise.race([
    once(child, "message").then(([message]) => message as Answer),
    ended.then(([code]) => Promise.reject(new Error(`The process that runs jobs ended with ${code}.`))),
  ]);
  await ended;
  return answer;
}
