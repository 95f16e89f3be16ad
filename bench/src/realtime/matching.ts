import { costOf, mb, us, whole } from "../figures.ts";
import { residentOf } from "../machine.ts";
import type { Figure } from "../scenarios.ts";
import type { RealtimeBench } from "./bench.ts";

const sockets = 200;
const rowsPerTransaction = 100;
const rows = 40_000;
/** Somebody waits for every hundredth row; the others have a value that nobody waits for. */
const watchedEvery = 100;

interface Cost {
  readonly nodeUs: number;
  readonly postgresUs: number;
  readonly perSecond: number;
}

/** What a change costs where few wait for other values, and where many do; and 50,000 rows of one transaction. */
export async function matching(bench: RealtimeBench): Promise<Figure[]> {
  const { crowd } = bench;
  const waitFor = (from: number, to: number) =>
    crowd.join(
      Array.from({ length: to - from }, (_, i) => ({
        topic: `place ${from + i}`,
        rows: { table: "ticks", filter: `place=eq.${from + i}` },
      })),
    );
  await crowd.connect(sockets);
  await waitFor(0, 10);
  await changes(bench);
  const few = best([await changes(bench), await changes(bench)]);
  await waitFor(10, 10_000);
  const many = best([await changes(bench), await changes(bench)]);
  const large = await largeTransaction(bench);
  await crowd.leave();
  const ratio = many.nodeUs / few.nodeUs;
  return [
    {
      name: "processor time of Node for a change, 10,000 subscriptions to other values against 10",
      value: `${us(many.nodeUs)} against ${us(few.nodeUs)} (${ratio.toFixed(2)} ×; PostgreSQL decodes it in ${us(many.postgresUs)} with the insert)`,
      against: "flat: ≤ 1.2 ×",
      isMet: ratio <= 1.2,
    },
    {
      name: `changes through the log and past 10,000 subscriptions, ${rowsPerTransaction} rows a transaction`,
      value: `${whole(many.perSecond)}/s`,
      against: "≥ 10,000/s",
      isMet: many.perSecond >= 10_000,
    },
    ...large,
  ];
}

/** The quieter of two runs: whatever else happens on a machine only adds. */
const best = (costs: readonly Cost[]): Cost => costs.reduce((a, b) => (a.nodeUs <= b.nodeUs ? a : b));

/** Inserts in transactions of a hundred rows, until the last that somebody waits for is there. */
async function changes({ sql, crowd, server }: RealtimeBench): Promise<Cost> {
  const {
    result: tookMs,
    nodeMs,
    postgresMs,
  } = await costOf(server, async () => {
    const arrived = crowd.rows(rows / watchedEvery);
    const startMs = performance.timeOrigin + performance.now();
    for (let from = 0; from < rows; from += rowsPerTransaction) {
      await sql.query({
        name: "ticks",
        text: `insert into public.ticks (n, place)
               select n, case when n % ${watchedEvery} = ${watchedEvery - 1} then 0 else -1 end
                 from generate_series($1::int, $1::int + ${rowsPerTransaction - 1}) n`,
        values: [from],
      });
    }
    return (await arrived) - startMs;
  });
  return {
    nodeUs: (nodeMs * 1000) / rows,
    postgresUs: (postgresMs * 1000) / rows,
    perSecond: rows / (tookMs / 1000),
  };
}

/** Somebody waits for the last row only: it is there when all have been decoded and looked at. */
async function largeTransaction({ sql, crowd, server }: RealtimeBench): Promise<Figure[]> {
  const count = 50_000;
  const before = residentOf(server.pid);
  let peak = before;
  const watch = setInterval(() => {
    peak = Math.max(peak, residentOf(server.pid));
  }, 20);
  const arrived = crowd.rows(1);
  await sql.query(
    `insert into public.ticks (n, place) select n, case when n = ${count} then 0 else -1 end from generate_series(1, ${count}) n`,
  );
  const committedMs = performance.timeOrigin + performance.now();
  const tookMs = (await arrived) - committedMs;
  clearInterval(watch);
  return [
    {
      name: `${whole(count)} rows of one transaction, from its commit to the last row at its subscriber`,
      value: `${(tookMs / 1000).toFixed(2)} s (${whole(count / (tookMs / 1000))} rows/s), memory +${mb(peak - before)}`,
      against: "≥ 50,000 rows/s, memory < +64 MB",
      isMet: tookMs < 1_000 && peak - before < 64 * 2 ** 20,
    },
  ];
}
