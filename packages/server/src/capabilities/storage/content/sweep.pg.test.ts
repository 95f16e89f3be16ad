import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { problems } from "../problems.ts";
import { bytesOf, type ContentBench, gather, keepingText, newVersion, openContentBench, whole } from "./testing.ts";

let bench: ContentBench;
beforeAll(async () => {
  bench = await openContentBench();
});
afterAll(() => bench.close());
beforeEach(async () => {
  await bench.sql(
    "delete from storage.objects; delete from mainstay.object_segments; delete from mainstay.object_versions",
  );
  await bench.blobs.remove(await bench.stored());
});

const drop = (version: string) => bench.sql("delete from storage.objects where version = $1", [version]);
/** As if so much time had passed since. */
const later = (ms: number) =>
  bench.sql(
    `update mainstay.object_versions set expires_at = expires_at - ${ms} * interval '1 ms' where state <> 'kept'`,
  );
/** Names of the blobs that rows know. */
const known = async () =>
  (await bench.sql<{ id: string }>("select blob_id as id from mainstay.object_segments order by 1")).map(
    ({ id }) => id,
  );
const nothing = { uploads: 0, blobs: 0, versions: 0 };

describe("a sweep", () => {
  test("takes what nobody needs, and nothing else", async () => {
    const kept = await bench.keep(bytesOf(100));
    const gone = await bench.keep(bytesOf(100));
    const receiving = await bench.content.begin(newVersion());
    const late = await bench.content.begin(newVersion({ leaseMs: 1 }));
    const given = await bench.content.begin(newVersion());
    for (const version of [receiving, given])
      await bench.content.append(version, { ...whole(bytesOf(100)), position: 0 });
    await new Promise((resolve) => setTimeout(resolve, 20));
    await drop(gone);
    // Who has begun to read it may end.
    expect(await bench.sweeper.sweep()).toEqual({ ...nothing, uploads: 1, versions: 1 });
    await bench.content.abandon(given);
    await bench.sql("update mainstay.object_versions set expires_at = now() - interval '9 minutes' where id = $1", [
      gone,
    ]);
    expect(await bench.sweeper.sweep()).toEqual({ uploads: 0, blobs: 1, versions: 1 });
    await bench.sql("update mainstay.object_versions set expires_at = now() - interval '11 minutes' where id = $1", [
      gone,
    ]);
    expect(await bench.sweeper.sweep()).toEqual({ uploads: 0, blobs: 1, versions: 1 });
    expect(await bench.sweeper.sweep()).toEqual(nothing);
    expect(await bench.sql("select id from mainstay.object_versions order by id")).toEqual(
      [kept, receiving].sort().map((id) => ({ id })),
    );
    expect(await bench.stored()).toEqual(await known());
    expect(late).not.toBe(receiving);
  });

  test("goes on with what is left by one that was stopped half-way", async () => {
    for (let n = 0; n < 3; n++) await drop(await bench.keep(bytesOf(10)));
    await later(3_600_000);
    let calls = 0;
    const failing = await bench.another({}, (blobs) => ({
      ...blobs,
      async remove(ids) {
        calls++;
        await blobs.remove(ids.slice(0, 1));
        throw problems.storeUnavailable();
      },
    }));
    await expect(failing.sweeper.sweep()).rejects.toMatchObject({ code: "storage/store-unavailable" });
    expect([calls, await known(), await bench.stored()]).toEqual([
      1,
      expect.objectContaining({ length: 3 }),
      expect.objectContaining({ length: 2 }),
    ]);
    // Its claim stands, in case it is still at it.
    expect(await bench.sweeper.sweep()).toEqual(nothing);
    await bench.sql("update mainstay.object_segments set expires_at = now() where is_dead");
    expect(await bench.sweeper.sweep()).toEqual({ uploads: 0, blobs: 3, versions: 3 });
    expect([await known(), await bench.stored()]).toEqual([[], []]);
  });

  test("says what it did by itself, and once that it cannot", async () => {
    await drop(await bench.keep(bytesOf(10)));
    await later(3_600_000);
    let isAway = true;
    const node = await bench.another({ storageSweepMs: 100 }, (blobs) => ({
      ...blobs,
      remove: (ids) => (isAway ? Promise.reject(problems.storeUnavailable()) : blobs.remove(ids)),
    }));
    node.content.start();
    const kinds = () => node.observations.map(({ kind }) => kind);
    await expect.poll(kinds).toEqual(["storage.sweep-failed"]);
    isAway = false;
    for (let looks = 0; looks < 5; looks++) {
      await bench.sql("update mainstay.object_segments set expires_at = now() where is_dead");
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    expect(node.observations.slice(1)).toEqual([{ kind: "storage.swept", uploads: 0, blobs: 1, versions: 1 }]);
    await node.close();
  });

  test("X18 of several nodes takes each thing once, while files come, are read and go", {
    timeout: 60_000,
  }, async () => {
    const removed: string[] = [];
    const nodes = await Promise.all(
      [1, 2, 3].map(() =>
        bench.another({ storageReadGraceMs: 1_000 }, (blobs) => ({
          ...blobs,
          remove: (ids) => {
            removed.push(...ids);
            return blobs.remove(ids);
          },
        })),
      ),
    );
    const live = new Map<string, Buffer>();
    let [isDone, reads] = [false, 0];
    const sweeping = nodes.map(async ({ sweeper }) => {
      while (!isDone) {
        await sweeper.sweep();
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    });
    const reading = nodes.map(async ({ content }) => {
      while (!isDone) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        const [version, bytes] = [...live][Math.floor(Math.random() * live.size)] ?? [];
        const reader = version === undefined ? null : await content.open(version);
        if (version === undefined || bytes === undefined) continue;
        // Looked up just before it went: then it is gone for who asks now, and not half there.
        if (reader === null && !live.has(version)) continue;
        expect(reader).not.toBeNull();
        expect((await gather(reader!.stream())).equals(bytes)).toBe(true);
        reads++;
      }
    });
    for (let n = 0; n < 90; n++) {
      const node = nodes[n % 3]!;
      const bytes = bytesOf(1 + Math.floor(Math.random() * 30_000));
      const version = await node.content.begin(newVersion());
      const half = Math.floor(bytes.length / 2);
      await node.content.append(version, { ...whole(bytes.subarray(0, half)), position: 0 });
      if (n % 5 === 0) {
        await node.content.abandon(version);
        continue;
      }
      await node.content.append(version, { ...whole(bytes.subarray(half)), position: 1 });
      await bench.sql(keepingText(version, bytes.length));
      live.set(version, bytes);
      if (n % 3 === 0) {
        const [oldest] = live.keys();
        live.delete(oldest!);
        await drop(oldest!);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    isDone = true;
    await Promise.all([...sweeping, ...reading]);
    await nodes[0]!.sweeper.sweep();
    expect(reads).toBeGreaterThan(50);
    expect(new Set(removed).size).toBe(removed.length);
    expect(await bench.stored()).toEqual(await known());
    const left = await bench.sql<{ id: string }>("select id from mainstay.object_versions");
    expect(left.map(({ id }) => id).sort()).toEqual([...live.keys()].sort());
    const fresh = await bench.another();
    for (const [version, bytes] of live)
      expect(await gather((await fresh.content.open(version))!.stream())).toEqual(bytes);
  });
});
