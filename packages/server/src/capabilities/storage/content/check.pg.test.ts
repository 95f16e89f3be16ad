import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Finding } from "./check.ts";
import { bytesOf, type ContentBench, gather, newVersion, openContentBench, whole } from "./testing.ts";
import { createTools } from "./tools.ts";

const keys = [1, 2, 3].map(() => bytesOf(32).toString("base64"));
let bench: ContentBench;
beforeAll(async () => {
  bench = await openContentBench({ storageReadGraceMs: 0 });
});
afterAll(() => bench.close());
beforeEach(async () => {
  await bench.sql(
    "delete from storage.objects; delete from mainstay.object_segments; delete from mainstay.object_versions",
  );
  await bench.blobs.remove(await bench.stored());
});

const tools = (node: Pick<ContentBench, "db" | "blobs" | "settings" | "cipher"> = bench) =>
  createTools({ ...node, observe: () => {} }, node.cipher);
async function check(options?: Parameters<ReturnType<typeof tools>["check"]>[0], node?: Parameters<typeof tools>[0]) {
  const findings: Finding[] = [];
  for await (const finding of tools(node).check(options)) findings.push(finding);
  return findings;
}
const kinds = (findings: readonly Finding[]) =>
  findings.map(({ kind, isLoss, isRepaired }) => [kind, isLoss ? "loss" : isRepaired ? "repaired" : "left"]).sort();
const blobOf = async (version: string) =>
  (
    await bench.sql<{ id: string }>(
      "select blob_id as id from mainstay.object_segments where version_id = $1 and size_bytes is not null",
      [version],
    )
  )[0]!.id;
const rewrite = async (blob: string, bytes: Buffer) => {
  await bench.blobs.remove([blob]);
  await bench.blobs.write(blob, whole(bytes).source);
};

describe("a check", () => {
  test("finds nothing where all is well, also while things come and go", async () => {
    for (let n = 0; n < 5; n++) await bench.keep(bytesOf(1_000), { ownerId: "ann" });
    await bench.keep(Buffer.alloc(0));
    const receiving = await bench.content.begin(newVersion());
    await bench.content.append(receiving, { ...whole(bytesOf(10)), position: 0 });
    await bench.sql(
      "insert into storage.objects (bucket_id, name, metadata) values ('files', 'a seed without bytes', '{\"size\": 9}')",
    );
    let isDone = false;
    const busy = (async () => {
      while (!isDone) {
        const version = await bench.keep(bytesOf(500));
        await bench.sql("delete from storage.objects where version = $1", [version]);
        await bench.sweeper.sweep();
      }
    })();
    for (let n = 0; n < 20; n++) expect(await check({ isDeep: n % 2 === 0 })).toEqual([]);
    isDone = true;
    await busy;
  });

  test("S11 finds each way in which facts and bytes differ, and repairs only what nobody misses", async () => {
    const versions: Record<string, string> = {};
    for (const name of ["missing", "short", "changed", "lying", "good"])
      versions[name] = await bench.keep(bytesOf(1_000), { ownerId: "ann" });
    await bench.blobs.remove([await blobOf(versions.missing!)]);
    await rewrite(await blobOf(versions.short!), bytesOf(999));
    await rewrite(await blobOf(versions.changed!), bytesOf(1_000));
    await bench.sql(`update storage.objects set metadata = '{"size": 7}' where version = $1`, [versions.lying]);
    await bench.sql(
      "insert into storage.objects (bucket_id, name, version) values ('files', 'of nothing', 'no such version')",
    );
    const unknown = crypto.randomUUID();
    await bench.blobs.write(unknown, whole(bytesOf(5)).source);
    await bench.sql("update mainstay.object_usage set used_bytes = 1 where owner_id = 'ann'");
    const unnamed = await bench.keep(bytesOf(10));
    await bench.sql(
      "set session_replication_role = replica; delete from storage.objects where version = '" +
        unnamed +
        "'; set session_replication_role = origin",
    );
    const stale = await bench.content.begin(newVersion());
    await bench.sql("update mainstay.object_versions set expires_at = now() - interval '2 hours' where id = $1", [
      stale,
    ]);

    const losses = [
      ["bytes-differ", "loss"],
      ["bytes-missing", "loss"],
      ["size-differs", "loss"],
      ["version-missing", "loss"],
    ];
    const left = (word: string) => [
      ["unknown-blob", word],
      ["unnamed-version", word],
      ["usage-differs", word],
    ];
    const found = await check();
    expect(kinds(found)).toEqual([...losses, ...left("left"), ["unswept", "left"]].sort());
    expect(found.find(({ kind }) => kind === "bytes-missing")).toMatchObject({
      object: { bucketId: "files", name: versions.missing },
      version: versions.missing,
      blob: expect.any(String),
      message: expect.stringContaining(`files/${versions.missing}`),
    });
    expect(kinds(await check({ isDeep: true }))).toEqual(
      [...losses, ["bytes-differ", "loss"], ...left("left"), ["unswept", "left"]].sort(),
    );
    // It only looked.
    expect(await bench.stored()).toContain(unknown);

    const objects = "select id, version, metadata from storage.objects order by id";
    const before = await bench.sql(objects);
    expect(kinds(await check({ repairs: true }))).toEqual([...losses, ...left("repaired")].sort());
    expect(kinds(await check({ repairs: true }))).toEqual([...losses].sort());
    expect(await bench.sql(objects)).toEqual(before);
    expect(await bench.stored()).not.toContain(unknown);
    expect(await gather((await bench.content.open(versions.good!))!.stream())).toHaveLength(1_000);
    expect(await bench.sql("select from mainstay.object_versions where id = any ($1)", [[unnamed, stale]])).toEqual([]);
  });

  test("looks at everything, page after page, and ends when it is told to", async () => {
    await bench.sql(`
      insert into storage.objects (bucket_id, name, version) select 'files', 'o' || n, 'gone ' || n from generate_series(1, 2500) n`);
    expect(await check()).toHaveLength(2_500);
    const ending = new AbortController();
    await expect(
      check({ signal: ending.signal, onProgress: (looked) => looked > 1_000 && ending.abort(new Error("enough")) }),
    ).rejects.toThrow("enough");
  });
});

describe("encrypted", () => {
  test("files are read in ranges and as copies, put together, checked; keys are rotated while they are read", async () => {
    const node = await bench.another({ storageEncryptionKey: keys[0]! });
    const bytes = bytesOf(200_000);
    const parts = [await node.content.begin(newVersion()), await node.content.begin(newVersion())];
    await node.content.append(parts[0]!, { ...whole(bytes.subarray(0, 90_000)), position: 0 });
    await node.content.append(parts[1]!, { ...whole(bytes.subarray(90_000)), position: 0 });
    const version = await node.content.begin(newVersion());
    await node.content.concatenate(version, parts);
    const keep = (id: string) =>
      bench.sql(`begin; select set_config('mainstay.names_version', '${id}', true); update mainstay.object_versions set state = 'kept' where id = '${id}';
        insert into storage.objects (bucket_id, name, version, metadata) values ('files', '${id}', '${id}', '{"size": 200000}'); commit`);
    await keep(version);
    const copy = await node.content.copy(version, newVersion());
    await keep(copy);
    const again = await node.content.copy(copy, newVersion());
    await keep(again);
    const all = [version, copy, again];
    const readAll = async (by: ContentBench | typeof node) => {
      for (const id of all) {
        const reader = (await by.content.open(id))!;
        expect(await gather(reader.stream())).toEqual(bytes);
        expect(await gather(reader.stream({ from: 89_990, to: 155_000 }))).toEqual(bytes.subarray(89_990, 155_000));
      }
    };
    await readAll(node);
    expect((await gather((await bench.blobs.read(await blobOf(version)))!)).includes(bytes.subarray(0, 16))).toBe(
      false,
    );
    const small = await node.content.begin(newVersion());
    await node.content.append(small, { ...whole(bytes.subarray(0, 300)), position: 0 });
    await keep(small);
    expect(await (await node.content.open(small))!.whole()).toEqual(bytes.subarray(0, 300));
    await bench.sql("delete from storage.objects where version = $1", [small]);
    await bench.sweeper.sweep();
    expect(await check({ isDeep: true }, node)).toEqual([]);
    // Without the key nothing is read, and the check says why.
    expect(kinds(await check())).toEqual(Array(6).fill(["bytes-differ", "loss"]));
    await expect(gather((await bench.content.open(version))!.stream())).rejects.toMatchObject({
      code: "storage/key-missing",
    });
    expect(bench.observations).toContainEqual(expect.objectContaining({ kind: "storage.damaged" }));
    const withAnother = await check({}, await bench.another({ storageEncryptionKey: keys[2]! }));
    for (const { message } of withAnother) expect(message).toContain(`the key ${node.cipher!.currentKeyId} is missing`);
    expect(withAnother).toHaveLength(6);

    const rotating = await bench.another({ storageEncryptionKey: keys[1]!, storageEncryptionFormerKeys: [keys[0]!] });
    await readAll(rotating);
    expect(await tools(rotating).rotateKeys()).toEqual({ rewrapped: 6, failed: {} });
    expect(await tools(rotating).rotateKeys()).toEqual({ rewrapped: 0, failed: {} });
    await readAll(await bench.another({ storageEncryptionKey: keys[1]! }));
    // What another node remembers stays good.
    await readAll(node);
    const failed = (await tools(await bench.another({ storageEncryptionKey: keys[2]! })).rotateKeys())!;
    expect([failed.rewrapped, Object.values(failed.failed)]).toEqual([0, [6]]);
    expect(await tools().rotateKeys()).toBeNull();
  });
});
