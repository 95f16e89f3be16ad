import { Agent } from "node:http";
import pg from "pg";
import { ms } from "../figures.ts";
import { percentile } from "../load.ts";
import type { Figure } from "../scenarios.ts";
import { expectOk, type StorageBench } from "./bench.ts";
import { type Answer, send } from "./http.ts";
import { signedGet } from "./s3-request.ts";

const goalMs = 50;
const rounds = 30;

/** 1,000 names of 1,000,000, as a user under row level security, by each protocol; one request after the other. */
export async function lists(bench: StorageBench): Promise<Figure[]> {
  await fill(bench.databaseUrl);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const post = (path: string, body: object) => () =>
    send({
      url: `${bench.server.url}/storage/v1/object/${path}`,
      method: "POST",
      headers: { ...bench.headers, "Content-Type": "application/json" },
      body: JSON.stringify(body),
      agent,
    });
  const level = (prefix: string) => ({ prefix, limit: 1_000, offset: 0, sortBy: { column: "name", order: "asc" } });
  const cases: readonly (readonly [string, () => Promise<Answer>, (body: string) => number])[] = [
    ["list, 1,000 of 500,000 files in one folder", post("list/flat", level("photos")), namesIn],
    ["list, 1,000 of 2,000 folders with 250 files each", post("list/deep", level("")), namesIn],
    [
      "list-v2, files of one folder",
      post("list-v2/flat", { prefix: "photos/", limit: 1_000, with_delimiter: true }),
      objectsIn,
    ],
    ["list-v2, folders", post("list-v2/deep", { prefix: "", limit: 1_000, with_delimiter: true }), objectsIn],
    ["list-v2, without folders", post("list-v2/deep", { prefix: "", limit: 1_000 }), objectsIn],
    ["S3 ListObjectsV2, folders", () => s3(bench, agent, "deep", "delimiter=%2F&"), tagsIn("CommonPrefixes")],
    ["S3 ListObjectsV2, without folders", () => s3(bench, agent, "deep", ""), tagsIn("Contents")],
  ];
  const figures: Figure[] = [];
  for (const [name, ask, count] of cases) figures.push(await measure(name, ask, count));
  agent.destroy();
  return figures;
}

async function measure(name: string, ask: () => Promise<Answer>, count: (body: string) => number): Promise<Figure> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const begun = performance.now();
    const answer = expectOk(await ask(), name);
    times.push(performance.now() - begun);
    const names = count(answer.body.toString());
    if (names !== 1_000) throw new Error(`${name}: ${names} names came.`);
  }
  times.sort((a, b) => a - b);
  const [middle, p95] = [percentile(times, 0.5), percentile(times, 0.95)];
  return { name, value: `p50 ${ms(middle)}, p95 ${ms(p95)}`, against: `p50 < ${goalMs} ms`, isMet: middle < goalMs };
}

function s3(bench: StorageBench, agent: Agent, bucket: string, parameters: string): Promise<Answer> {
  const { server, anonKey, headers } = bench;
  const url = new URL(server.url);
  const [path, query] = [`/storage/v1/s3/${bucket}`, `${parameters}list-type=2&max-keys=1000`];
  const token = headers.Authorization!.replace("Bearer ", "");
  const signed = signedGet({ host: url.host, path, query }, { secret: anonKey, token });
  return send({ url: `${server.url}${path}?${query}`, method: "GET", headers: signed, agent });
}

const namesIn = (body: string): number => (JSON.parse(body) as unknown[]).length;
const objectsIn = (body: string): number => {
  const { folders, objects } = JSON.parse(body) as { folders: unknown[]; objects: unknown[] };
  return folders.length + objects.length;
};
const tagsIn =
  (tag: string) =>
  (body: string): number =>
    body.split(`<${tag}>`).length - 1;

/** Rows without bytes: nothing of a list looks at them. */
async function fill(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const metadata = '{"size": 1000, "mimetype": "image/jpeg", "eTag": "\\"0\\"", "cacheControl": "max-age=3600"}';
  await client.query(`
    alter table storage.objects disable trigger user;
    insert into storage.objects (bucket_id, name, owner_id, metadata)
      select 'flat', 'photos/' || lpad(n::text, 7, '0') || '.jpg', 'someone', '${metadata}' from generate_series(1, 500000) n;
    insert into storage.objects (bucket_id, name, owner_id, metadata)
      select 'deep', 'y' || (n % 2000) || '/m' || n || '/a.jpg', 'someone', '${metadata}' from generate_series(1, 500000) n;
    alter table storage.objects enable trigger user;`);
  await client.query("vacuum analyze storage.objects");
  await client.end();
}
