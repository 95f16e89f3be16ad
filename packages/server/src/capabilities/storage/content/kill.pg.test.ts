import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ContentBench, gather, md5, openContentBench } from "./testing.ts";

let bench: ContentBench;
beforeAll(async () => {
  bench = await openContentBench({ storageReadGraceMs: 0 });
});
afterAll(() => bench.close());

const writer = fileURLToPath(new URL("./writer.testing.ts", import.meta.url));
/** What was said outside of who was killed. Versions by what was heard of them last. */
const ledger = new Map<string, "begun" | "kept" | "dropping" | "dropped">();
const sums = new Map<string, string>();

/** Lets a server write for a while, and kills it in the midst of whatever it does. */
async function writeAndDie(): Promise<void> {
  const child = spawn(process.execPath, [writer, bench.database.url, bench.folder], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const gone = once(child, "exit");
  const lines = createInterface({ input: child.stdout });
  let left = 1 + Math.floor(Math.random() * 20);
  const heard = (async () => {
    for await (const line of lines) {
      const [word, version, sum] = line.split(" ") as [string, string, string?];
      if (word !== "ready") ledger.set(version, word as "begun");
      // By what it has done, and not by time alone: on a busy machine, too, it is in the midst of something.
      if (--left === 0) setTimeout(() => child.kill("SIGKILL"), Math.random() * 20);
      if (sum !== undefined) sums.set(version, sum);
    }
  })();
  await Promise.all([gone, heard]);
  expect(child.signalCode).toBe("SIGKILL");
}

async function readAll(): Promise<ReadonlyMap<string, string>> {
  const versions = await bench.sql<{ version: string }>("select version from storage.objects");
  // Nothing of before is in its memory.
  const node = await bench.another();
  const read = new Map<string, string>();
  for (const { version } of versions)
    read.set(version, md5(await gather((await node.content.open(version))!.stream())));
  await node.close();
  return read;
}

/** Two servers each time. `MAINSTAY_TEST_KILLS=50` asks for a hundred kills, which take a minute and a half. */
const times = Number(process.env.MAINSTAY_TEST_KILLS ?? 8);

test(`S11 killed ${times * 2} times: nothing acknowledged is missing, nothing half is visible, and no bytes are left over`, {
  timeout: 60_000 + times * 4_000,
}, async () => {
  for (let n = 0; n < times; n++) {
    // Two at once: what one left is swept by the other, while it writes.
    await Promise.all([writeAndDie(), writeAndDie()]);
    if (n % 5 !== 4 && n !== times - 1) continue;
    const read = await readAll();
    for (const [version, word] of ledger) {
      const sum = read.get(version);
      if (word === "kept") expect(sum, `${version} was kept`).toBeDefined();
      if (word === "dropped") expect(sum, `${version} was dropped`).toBeUndefined();
    }
    for (const [version, sum] of read) expect(sum, version).toBe(sums.get(version));
  }
  expect([...ledger.values()].filter((word) => word === "kept").length).toBeGreaterThan(times);
  // When all leases and claims are over.
  await bench.sql(`update mainstay.object_versions set expires_at = now() - interval '1 second' where state <> 'kept';
    update mainstay.object_segments set expires_at = now() - interval '1 second' where expires_at is not null`);
  await bench.sweeper.sweep();
  await bench.sweeper.sweep();
  await bench.blobs.removeLeftovers(0);
  const live = await bench.sql<{ id: string }>(`
    select s.blob_id as id from mainstay.object_segments s join storage.objects o on o.version = s.version_id order by 1`);
  expect(await bench.stored()).toEqual(live.map(({ id }) => id));
  expect(await bench.sql("select from mainstay.object_segments")).toHaveLength(live.length);
  expect(await bench.sql("select from mainstay.object_versions where state <> 'kept'")).toEqual([]);
  const [usage] = await bench.sql(`
    select u.used_bytes = sum((o.metadata ->> 'size')::bigint) as "isRight", u.object_count::int = count(*)::int as "isCounted"
    from mainstay.object_usage u join storage.objects o on o.owner_id = u.owner_id group by u.owner_id`);
  expect(usage).toEqual({ isRight: true, isCounted: true });
});
