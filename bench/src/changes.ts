import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { percentile } from "./load.ts";
import type { Figure } from "./scenarios.ts";
import { databaseUrlOf, emptyProject, startServer } from "./server.ts";

const commits = 200;
/** Between commits, in ms: nothing else happens, as on a node that is idle. */
const pauseMs = 30;

const source = `import { on } from "@mainstay/functions";
on("notes", "insert", { name: "bench" }, () => ({ startedAt: performance.timeOrigin + performance.now() }));
`;

/** From a commit to the start of the function that was waiting for it. */
export async function changes({ port }: { readonly port: number }): Promise<Figure[]> {
  const project = emptyProject();
  try {
    mkdirSync(join(project.dir, "functions"), { recursive: true });
    writeFileSync(join(project.dir, "functions", "bench.ts"), source);
    const server = await startServer(project.dir, port);
    try {
      const client = new pg.Client({ connectionString: await databaseUrlOf(project.dir) });
      await client.connect();
      try {
        return [await measure(client)];
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

async function measure(client: pg.Client): Promise<Figure> {
  await client.query("create table public.notes (id int primary key, body text)");
  await until(client, "select 1 from pg_publication_tables where pubname = 'mainstay_readers'", 1);
  await until(client, "select 1 from mainstay.log_cursors where name = 'functions'", 1);
  const committedAt: number[] = [];
  for (let id = 0; id < commits; id++) {
    await client.query("insert into public.notes values ($1, 'a note')", [id]);
    committedAt.push(performance.timeOrigin + performance.now());
    await sleep(pauseMs);
  }
  await until(client, "select 1 from mainstay.jobs where name = 'mainstay.change/bench' and state = 4", commits);
  const { rows } = await client.query<{ id: number; made: number; claimed: number; started: number }>(`
    select (payload -> 'row' ->> 'id')::int as id, extract(epoch from created_at)::float8 * 1000 as made,
      extract(epoch from started_at)::float8 * 1000 as claimed, (result ->> 'startedAt')::float8 as started
    from mainstay.jobs where name = 'mainstay.change/bench'`);
  const p = (part: number, of: (row: (typeof rows)[number]) => number): string =>
    percentile(
      rows.map(of).toSorted((a, b) => a - b),
      part,
    ).toFixed(1);
  const most = Number(p(0.95, ({ id, started }) => started - committedAt[id]!));
  const half = p(0.5, ({ id, started }) => started - committedAt[id]!);
  const read = p(0.5, ({ id, made }) => made - committedAt[id]!);
  const claimed = p(0.5, ({ made, claimed }) => claimed - made);
  const begun = p(0.5, ({ claimed, started }) => started - claimed);
  return {
    name: "from a commit to the start of the function on change, on an idle node (p95)",
    value: `${most.toFixed(1)} ms (p50 ${half} ms: to the job ${read}, to its claim ${claimed}, to the function ${begun})`,
    against: "< 15 ms",
    isMet: most < 15,
  };
}

async function until(client: pg.Client, statement: string, count: number): Promise<void> {
  for (let times = 0; times < 400; times++) {
    if (((await client.query(statement)).rowCount ?? 0) >= count) return;
    await sleep(50);
  }
  throw new Error(`Nothing has come of it: ${statement}`);
}
