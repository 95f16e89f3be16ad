import pg from "pg";
import { failed, limit, ms } from "../figures.ts";
import { percentile } from "../load.ts";
import type { Figure } from "../scenarios.ts";
import { tokenOf } from "../tokens.ts";
import type { RealtimeBench } from "./bench.ts";

const perSecond = 200;

/** From an insert over REST to the subscriber it is for, against the same row by SQL at a bare reader of the log. */
export async function changeToClient(bench: RealtimeBench): Promise<Figure[]> {
  const { crowd, server, anonKey, seconds } = bench;
  await crowd.connect(1);
  await crowd.join([{ topic: "one", rows: { table: "ticks", filter: "place=eq.7" }, token: tokenOf(1) }]);
  const shot = {
    method: "POST",
    path: "/rest/v1/ticks",
    headers: {
      apikey: anonKey,
      Authorization: `Bearer ${tokenOf(1)}`,
      "Content-Type": "application/json",
      Prefer: "return=minimal",
    },
    body: '{"n":$n,"place":7}',
  };
  const by = { how: "insert", url: server.url, shot, receivers: 1 } as const;
  await crowd.rounds({ seconds: 1, by, pace: { perSecond } });
  const { lastMs, failures } = await crowd.rounds({ seconds, by, pace: { perSecond } });
  await crowd.leave();
  const bare = await bareReader(bench);
  const [p50, p95] = [percentile(lastMs, 0.5), percentile(lastMs, 0.95)];
  return [
    limit(
      "an insert by SQL at a bare reader of the log (pgoutput)",
      `p50 ${ms(percentile(bare, 0.5))}, p95 ${ms(percentile(bare, 0.95))}`,
    ),
    {
      name: `an insert over REST at one subscriber, ${perSecond}/s`,
      value: `p50 ${ms(p50)}, p95 ${ms(p95)} (${(p50 / percentile(bare, 0.5)).toFixed(1)} × the bare reader)${failed(failures)}`,
      against: "p50 < 2 ms, p95 < 5 ms",
      isMet: p50 < 2 && p95 < 5 && failures === 0,
    },
  ];
}

/** What `pg` has for replication, and its types do not name. */
interface Replicating {
  readonly connection: { on(event: "copyData", listener: (message: { readonly chunk: Buffer }) => void): void };
}

/** Of a message of the stream: `w`, three 8-byte numbers (PostgreSQL docs, Streaming Replication Protocol). */
const headBytes = 25;

/** Times from sending an insert until its row is there, in ms, sorted. */
async function bareReader({ databaseUrl, seconds, sql }: RealtimeBench): Promise<number[]> {
  const reader = new pg.Client({ connectionString: databaseUrl, replication: "database" } as pg.ClientConfig);
  await reader.connect();
  await reader.query("CREATE_REPLICATION_SLOT bench_reader TEMPORARY LOGICAL pgoutput (SNAPSHOT 'nothing')");
  const sentAtMs: number[] = [];
  const tookMs: number[] = [];
  (reader as unknown as Replicating).connection.on("copyData", ({ chunk }) => {
    if (chunk[0] !== 0x77 || chunk[headBytes] !== 0x49) return;
    // Of a row that is inserted: the relation, `N`, how many columns; the first is the key, the second our number.
    const keyLength = chunk.readUInt32BE(headBytes + 9);
    const at = headBytes + 13 + keyLength;
    const n = Number(chunk.toString("latin1", at + 5, at + 5 + chunk.readUInt32BE(at + 1)));
    tookMs.push(performance.now() - sentAtMs[n]!);
  });
  const stream = reader
    .query("START_REPLICATION SLOT bench_reader LOGICAL 0/0 (proto_version '1', publication_names 'supabase_realtime')")
    // It ends with the connection, which is how it is meant to.
    .catch(() => {});
  const startMs = performance.now();
  const total = perSecond * Math.min(seconds, 3);
  for (let n = 0; n < total; n++) {
    const waitMs = startMs + (n * 1000) / perSecond - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    sentAtMs[n] = performance.now();
    await sql.query({ name: "tick", text: "insert into public.ticks (n, place) values ($1, 0)", values: [n] });
  }
  while (tookMs.length < total) await new Promise((resolve) => setTimeout(resolve, 10));
  await reader.end();
  await stream;
  return tookMs.slice(total / 10).sort((a, b) => a - b);
}
