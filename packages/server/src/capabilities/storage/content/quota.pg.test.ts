import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import {
  bytesOf,
  type ContentBench,
  type ContentNode,
  hose,
  inChunks,
  keepingText,
  newVersion,
  openContentBench,
  whole,
} from "./testing.ts";

const quotaBytes = 1_000_000;
let bench: ContentBench;
let other: ContentNode;
let owner: string;
beforeAll(async () => {
  bench = await openContentBench({ storageUserQuotaBytes: quotaBytes, storageQuotaStepBytes: 65_536 });
  other = await bench.another();
});
afterAll(() => bench.close());
beforeEach(() => {
  owner = crypto.randomUUID();
});

const begin = (reservedBytes: number, node: ContentNode = bench) =>
  node.content.begin(newVersion({ ownerId: owner, reservedBytes }));
const used = async () =>
  (
    await bench.sql<{ used: number }>("select used_bytes::int as used from mainstay.object_usage where owner_id = $1", [
      owner,
    ])
  )[0]?.used ?? 0;
const keep = (version: string, sizeBytes: number) => bench.sql(keepingText(version, sizeBytes, owner));
const outcome = (work: Promise<unknown>) =>
  work.then(
    () => "ok",
    (error: { code: string }) => error.code,
  );

test("S13 50 parallel uploads at the limit never pass it by a byte, and use all of it", async () => {
  const sizeBytes = 30_000;
  const uploads = Array.from({ length: 50 }, async (_, at) => {
    const node = at % 2 === 0 ? bench : other;
    // Announced or not: the same limit.
    const version = await begin(at % 3 === 0 ? 0 : sizeBytes, node);
    await node.content.append(version, { source: inChunks(bytesOf(sizeBytes)), limitBytes: sizeBytes, position: 0 });
    await keep(version, sizeBytes);
    return version;
  });
  const outcomes = await Promise.all(uploads.map(outcome));
  const kept = outcomes.filter((code) => code === "ok").length;
  expect(kept).toBe(Math.floor(quotaBytes / sizeBytes));
  expect(new Set(outcomes)).toEqual(new Set(["ok", "QuotaExceeded"]));
  expect(await used()).toBe(kept * sizeBytes);
});

test("S13 one byte more than is left is refused, and nothing of it stays", async () => {
  await keep(await begin(quotaBytes - 10), quotaBytes - 10);
  await expect(begin(11)).rejects.toMatchObject({ code: "QuotaExceeded", status: 413 });
  const stored = await bench.stored();
  const version = await begin(0);
  expect(await outcome(bench.content.append(version, { ...whole(bytesOf(11)), position: 0 }))).toBe("QuotaExceeded");
  expect(await bench.stored()).toEqual(stored);
  await bench.content.append(version, { ...whole(bytesOf(10)), position: 0 });
  expect(await outcome(begin(1))).toBe("QuotaExceeded");
  // Somebody else's is somebody else's.
  await bench.content.begin(newVersion({ ownerId: "another", reservedBytes: quotaBytes }));
  await bench.content.begin(newVersion({ reservedBytes: quotaBytes * 9 }));
});

test("room comes back when an upload ends, and when an object goes", async () => {
  const version = await begin(quotaBytes);
  expect(await outcome(begin(1))).toBe("QuotaExceeded");
  await bench.content.abandon(version);
  const second = await begin(quotaBytes);
  await bench.content.append(second, { ...whole(bytesOf(400_000)), position: 0 });
  await keep(second, 400_000);
  const third = await begin(600_000);
  expect(await outcome(begin(1))).toBe("QuotaExceeded");
  await bench.sql("delete from storage.objects where version = $1", [second]);
  await begin(400_000);
  await bench.sql("update mainstay.object_versions set expires_at = now() where id = $1", [third]);
  await bench.sweeper.sweep();
  await begin(600_000);
});

test("what grows unannounced takes what is left and no more, while others do", async () => {
  const sources = [hose(), hose()];
  const versions = [await begin(0), await begin(0)];
  const writing = versions.map((version, at) =>
    outcome(bench.content.append(version, { source: sources[at]!.source, limitBytes: quotaBytes * 2, position: 0 })),
  );
  for (let sent = 0; sent < 400_000; sent += 40_000) for (const source of sources) source.give(bytesOf(40_000));
  sources[0]!.end();
  expect(await writing[0]).toBe("ok");
  await keep(versions[0]!, 400_000);
  for (let sent = 400_000; sent < 600_000; sent += 40_000) sources[1]!.give(bytesOf(40_000));
  // As soon as it has taken all there is.
  await expect
    .poll(() =>
      bench.sql("select from mainstay.object_segments where version_id = $1 and reserved_bytes = 600000", [
        versions[1],
      ]),
    )
    .toHaveLength(1);
  expect(await outcome(begin(1))).toBe("QuotaExceeded");
  sources[1]!.give(bytesOf(1));
  expect(await writing[1]).toBe("QuotaExceeded");
  await begin(600_000);
});

test("the parts of one upload share what was announced for it", async () => {
  const version = await begin(900_000);
  await begin(100_000);
  const part = (position: number, sizeBytes: number) =>
    outcome(bench.content.append(version, { source: inChunks(bytesOf(sizeBytes)), limitBytes: sizeBytes, position }));
  expect(await Promise.all([part(1, 300_000), part(2, 300_000), part(3, 300_000)])).toEqual(["ok", "ok", "ok"]);
  expect(await part(4, 1)).toBe("QuotaExceeded");
});

test("a copy takes as much as what it is a copy of", async () => {
  const version = await bench.keep(bytesOf(500_001), { ownerId: owner, reservedBytes: 500_001 });
  expect(await outcome(bench.content.copy(version, newVersion({ ownerId: owner })))).toBe("QuotaExceeded");
  await bench.content.copy(version, newVersion({ ownerId: "another one" }));
});
