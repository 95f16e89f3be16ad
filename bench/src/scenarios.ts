import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { percentile, type Shot, saturate, shoot, sustain, type Throughput } from "./load.ts";
import { familyOf, hasCommand, memoryOf, residentOf } from "./machine.ts";
import { type BenchServer, startConstant } from "./server.ts";

const run = promisify(execFile);

/** One line of the report. */
export interface Figure {
  readonly name: string;
  readonly value: string;
  /** What it is held against: the limit of the same run, or the goal. */
  readonly against: string;
  /** `null` when it could not be measured here: `value` says why. */
  readonly isMet: boolean | null;
}

export interface Bench {
  readonly server: BenchServer;
  readonly headers: Readonly<Record<string, string>>;
  readonly userId: string;
  readonly databaseUrl: string;
  readonly connections: number;
  readonly seconds: number;
}

const whole = (n: number): string => Math.round(n).toLocaleString("en-US");
const rate = (n: number): string => `${whole(n)}/s`;

/** Reads, each against the constant that `node:http` serves in the same run, before and after. */
export async function reads(bench: Bench): Promise<Figure[]> {
  const places = await idsOf(bench, "select id from public.places order by id % 1009, id limit 1000");
  const lists = await idsOf(bench, `select id from public.lists where owner_id = '${bench.userId}'`);
  const get = (path: string): Shot => ({ method: "GET", path: `/rest/v1/${path}`, headers: bench.headers });
  const ceiling = await constant(bench);
  const one = await read(
    bench,
    places.map((id) => get(`places?select=*&id=eq.${id}`)),
  );
  const own = await read(
    bench,
    lists.map((id) => get(`lists?select=id,title,is_public,created_at&id=eq.${id}`)),
  );
  const twenty = await read(
    bench,
    ["DE", "FR", "ES", "IT", "PL", "US"].map((code) =>
      get(
        `places?select=id,name,country_code,population,lat,lng&country_code=eq.${code}&order=population.desc&limit=20`,
      ),
    ),
  );
  const embed = await read(
    bench,
    lists.map((id) => get(`lists?select=id,title,list_items(note,position,place_id)&id=eq.${id}`)),
  );
  const embedMany = await read(bench, [
    get("reviews?select=id,rating,body,place:places(name,country_code)&order=id&limit=20"),
  ]);
  const ceilingAfter = await constant(bench);
  const limit = (ceiling.perSecond + ceilingAfter.perSecond) / 2;
  const share = (figure: Throughput): string => `${(figure.perSecond / limit).toFixed(2)} × the constant`;
  const line = (name: string, figure: Throughput, goal: string, isMet: boolean): Figure => ({
    name,
    value: `${rate(figure.perSecond)} (${share(figure)})${figure.failures > 0 ? `, ${figure.failures} FAILED` : ""}`,
    against: goal,
    isMet: isMet && figure.failures === 0,
  });
  return [
    { name: "`node:http` answering a constant", value: rate(limit), against: "the limit in this run", isMet: true },
    line(
      "read one row by id (public places)",
      one,
      "≥ 0.45 × the constant and ≥ 15,000/s",
      one.perSecond >= 15_000 && one.perSecond >= 0.45 * limit,
    ),
    line("read one row by id (own lists: owner or member)", own, "reported", true),
    line("list 20 rows, filtered and ordered", twenty, "≥ 7,000/s", twenty.perSecond >= 7_000),
    line("embed one level (a list with its items)", embed, "≥ 5,000/s", embed.perSecond >= 5_000),
    line("embed to-one in 20 rows (reviews with their place)", embedMany, "≥ 5,000/s", embedMany.perSecond >= 5_000),
  ];
}

/** Single inserts against the same insert by pgbench, at the same number of connections, fsync on for both. */
export async function inserts(all: Bench): Promise<Figure[]> {
  // pgbench takes a server connection for each of its own, beside those the running server has.
  const bench = { ...all, connections: Math.min(all.connections, 48) };
  const shot: Shot = {
    method: "POST",
    path: "/rest/v1/bench_notes",
    headers: { ...bench.headers, "Content-Type": "application/json", Prefer: "return=minimal" },
    body: JSON.stringify({ body: "Forty characters of text in every single row", rank: 7 }),
  };
  const plain = insertOf(bench);
  const whole = `${contextOf(bench)}\n${plain}`;
  const before = [await pgbench(bench, plain), await pgbench(bench, whole)];
  const ours = await saturate({
    url: bench.server.url,
    shots: [shot],
    connections: bench.connections,
    seconds: bench.seconds,
  });
  const after = [await pgbench(bench, plain), await pgbench(bench, whole)];
  const goal = "≥ 0.8 × pgbench";
  const failed = ours.failures ? `, ${ours.failures} FAILED` : "";
  const [bare, same] = [0, 1].map((i) => ((before[i] ?? Number.NaN) + (after[i] ?? Number.NaN)) / 2) as [
    number,
    number,
  ];
  if (Number.isNaN(bare)) {
    return [
      {
        name: "insert one row",
        value: `${rate(ours.perSecond)}${failed}; pgbench is not installed`,
        against: goal,
        isMet: null,
      },
    ];
  }
  const clients = `${bench.connections} connections`;
  const shares = `${(ours.perSecond / bare).toFixed(2)} × the bare insert, ${(ours.perSecond / same).toFixed(2)} × the same work`;
  return [
    { name: `pgbench, the bare insert, ${clients}`, value: rate(bare), against: "the limit in this run", isMet: true },
    {
      name: `pgbench, the same work (role and claims set, row security), ${clients}`,
      value: rate(same),
      against: "the limit in this run",
      isMet: true,
    },
    {
      name: "insert one row",
      value: `${rate(ours.perSecond)} (${shares})${failed}`,
      against: goal,
      isMet: ours.perSecond >= 0.8 * bare && ours.failures === 0,
    },
  ];
}

function insertOf({ userId }: Bench): string {
  return `insert into public.bench_notes (owner_id, body, rank) values ('${userId}', 'Forty characters of text in every single row', 7);`;
}

/** What a request sets before its statement. With a space behind each colon: pgbench takes `:name` for a variable. */
function contextOf({ userId }: Bench): string {
  const claims = `{"sub": "${userId}", "role": "authenticated", "aud": "authenticated"}`;
  const settings = { role: "authenticated", "request.jwt.claims": claims, "request.jwt.claim.sub": userId };
  return `select ${Object.entries(settings)
    .map(([name, value]) => `set_config('${name}', '${value}', true)`)
    .join(", ")};`;
}

export async function bulk(bench: Bench): Promise<Figure[]> {
  const rows = 10_000;
  const body = JSON.stringify(
    Array.from({ length: rows }, (_, i) => ({ body: `Bulk row number ${i} of this request`, rank: i })),
  );
  const shot: Shot = {
    method: "POST",
    path: "/rest/v1/bench_notes",
    headers: { ...bench.headers, "Content-Type": "application/json", Prefer: "return=minimal" },
    body,
  };
  const requests = 40;
  const begun = performance.now();
  let next = 0;
  let failures = 0;
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      while (next++ < requests) if (!(await shoot(bench.server.url, shot)).isOk) failures++;
    }),
  );
  const perSecond = (rows * requests) / ((performance.now() - begun) / 1000);
  return [
    {
      name: `bulk insert, ${whole(rows)} rows a request`,
      value: `${whole(perSecond)} rows/s${failures ? `, ${failures} FAILED` : ""}`,
      against: "≥ 100,000 rows/s",
      isMet: perSecond >= 100_000 && failures === 0,
    },
  ];
}

export async function nearby(bench: Bench): Promise<Figure[]> {
  const cities = [
    [48.85, 2.35],
    [52.52, 13.4],
    [40.71, -74.0],
    [35.68, 139.69],
    [-33.87, 151.21],
    [19.43, -99.13],
    [30.04, 31.24],
    [28.61, 77.21],
  ];
  const shots = cities.map(
    ([lat, lng]): Shot => ({
      method: "POST",
      path: "/rest/v1/rpc/nearby",
      headers: { ...bench.headers, "Content-Type": "application/json" },
      body: JSON.stringify({ lat, lng, radius_m: 20_000, max_results: 20 }),
    }),
  );
  await saturate({ url: bench.server.url, shots, connections: 8, seconds: 1 });
  const perSecond = 500;
  const { latencies, failures } = await sustain({
    url: bench.server.url,
    shots,
    connections: 64,
    seconds: bench.seconds * 2,
    perSecond,
  });
  const p95 = percentile(latencies, 0.95);
  return [
    {
      name: `nearby search over 135,000 places at ${perSecond}/s`,
      value: `p50 ${percentile(latencies, 0.5).toFixed(1)} ms, p95 ${p95.toFixed(1)} ms, p99 ${percentile(latencies, 0.99).toFixed(1)} ms${failures ? `, ${failures} FAILED` : ""}`,
      against: "p95 < 10 ms",
      isMet: p95 < 10 && failures === 0,
    },
  ];
}

/** A large export by the service role, without a row limit, while the process's memory is watched. */
export async function largeExport(server: BenchServer, databaseUrl: string, serviceRoleKey: string): Promise<Figure[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(`insert into public.bench_notes (owner_id, body, rank)
    select gen_random_uuid(), 'Forty characters of text in every single row', n from generate_series(1, 200000) n`);
  await client.end();
  const node = server.pid;
  const before = residentOf(node);
  let most = before;
  const watch = setInterval(() => {
    most = Math.max(most, residentOf(node));
  }, 20);
  const begun = performance.now();
  const { isOk, bytes } = await shoot(server.url, {
    method: "GET",
    path: "/rest/v1/bench_notes?select=*&limit=200000",
    headers: { apikey: serviceRoleKey, Authorization: `Bearer ${serviceRoleKey}` },
  });
  clearInterval(watch);
  const seconds = (performance.now() - begun) / 1000;
  const grown = (most - before) / 2 ** 20;
  return [
    {
      name: "export of 200,000 rows",
      value: isOk
        ? `${(bytes / 2 ** 20).toFixed(0)} MB in ${seconds.toFixed(1)} s, memory +${grown.toFixed(0)} MB`
        : "FAILED",
      against: "memory < +64 MB",
      isMet: isOk && grown < 64,
    },
  ];
}

export function idleMemory(pid: number): Figure {
  const bytes = memoryOf(familyOf(pid));
  const value = bytes === null ? "not measurable on this system" : `${(bytes / 2 ** 20).toFixed(0)} MB`;
  return {
    name: "idle memory, Node and PostgreSQL together",
    value,
    against: "< 140 MB",
    isMet: bytes === null ? null : bytes < 140 * 2 ** 20,
  };
}

function read(bench: Bench, shots: readonly Shot[]): Promise<Throughput> {
  return saturate({ url: bench.server.url, shots, connections: bench.connections, seconds: bench.seconds });
}

async function constant(bench: Bench): Promise<Throughput> {
  const port = Number(new URL(bench.server.url).port) + 1;
  const row =
    '[{"id":2950159,"name":"Berlin","search_name":"berlin","country_code":"DE","admin1_code":"16","feature_code":"PPLC","population":3426354,"lat":52.52437,"lng":13.41053,"review_count":0,"rating_sum":0,"rating":null}]';
  const server = await startConstant(port, row);
  const figure = await saturate({
    url: `http://127.0.0.1:${port}`,
    shots: [{ method: "GET", path: "/rest/v1/places?select=*&id=eq.2950159", headers: bench.headers }],
    connections: bench.connections,
    seconds: bench.seconds,
  });
  await server.stop();
  return figure;
}

/** Transactions a second of a script sent in one round trip, as a request is; `null` where pgbench is not installed. */
export async function pgbench(
  bench: Pick<Bench, "connections" | "seconds" | "databaseUrl">,
  statements: string,
): Promise<number | null> {
  if (!hasCommand("pgbench")) return null;
  const script = join(tmpdir(), `mainstay-bench-${process.pid}.sql`);
  const isOne = !statements.includes("\n");
  writeFileSync(script, isOne ? `${statements}\n` : `\\startpipeline\n${statements}\n\\endpipeline\n`);
  const { stdout } = await run("pgbench", [
    "-n",
    "-M",
    "prepared",
    `-c${bench.connections}`,
    "-j1",
    `-T${bench.seconds}`,
    "-f",
    script,
    bench.databaseUrl,
  ]);
  return Number(/tps = ([\d.]+)/.exec(stdout)?.[1] ?? Number.NaN);
}

async function idsOf(bench: Bench, sql: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: bench.databaseUrl });
  await client.connect();
  const { rows } = await client.query<{ id: string }>(sql);
  await client.end();
  return rows.map(({ id }) => String(id));
}
