import { readdir } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { problems } from "../problems.ts";
import {
  bytesOf,
  type ContentBench,
  gather,
  hose,
  inChunks,
  keepingText,
  md5,
  newVersion,
  openContentBench,
  whole,
} from "./testing.ts";

let bench: ContentBench;
beforeAll(async () => {
  bench = await openContentBench();
});
afterAll(() => bench.close());

const keep = async (version: string) => (await bench.sql(keepingText(version, 1)))[0]?.kept === 1;
const read = async (version: string) => {
  const reader = await bench.content.open(version);
  return reader === null ? null : gather(reader.stream());
};
const begin = () => bench.content.begin(newVersion());
const segmentRows = (version: string) =>
  bench.sql(
    "select position, size_bytes::int as size, is_dead as dead from mainstay.object_segments where version_id = $1 order by 1, 2",
    [version],
  );

describe("a version", () => {
  test("is read as it was written, when it is kept and not before", async () => {
    const bytes = bytesOf(100_003);
    const version = await begin();
    expect(await bench.content.append(version, { ...whole(bytes), position: 0 })).toEqual({
      position: 0,
      sizeBytes: bytes.length,
      md5: Buffer.from(md5(bytes), "hex"),
    });
    expect(await bench.content.open(version)).toBeNull();
    expect(await bench.content.complete(version)).toHaveLength(1);
    expect(await keep(version)).toBe(true);
    const reader = (await bench.content.open(version))!;
    expect(reader.sizeBytes).toBe(bytes.length);
    expect(await gather(reader.stream())).toEqual(bytes);
    expect(await gather(reader.stream({ from: 70_000, to: 70_005 }))).toEqual(bytes.subarray(70_000, 70_005));
    expect(await reader.whole()).toBeNull();
  });

  test("may have no bytes at all", async () => {
    const version = await begin();
    expect((await bench.content.append(version, { ...whole(Buffer.alloc(0)), position: 0 })).sizeBytes).toBe(0);
    await keep(version);
    expect(await read(version)).toEqual(Buffer.alloc(0));
    expect(await (await bench.content.open(version))!.whole()).toEqual(Buffer.alloc(0));
    const none = await begin();
    await keep(none);
    expect(await read(none)).toEqual(Buffer.alloc(0));
  });

  test("of many segments is one file: every range of it", async () => {
    const parts = [bytesOf(5_000), bytesOf(1), Buffer.alloc(0), bytesOf(70_000), bytesOf(3)];
    const version = await begin();
    const order = [3, 0, 4, 2, 1];
    await Promise.all(order.map((at) => bench.content.append(version, { ...whole(parts[at]!), position: at * 10 })));
    expect((await bench.content.segments(version)).map(({ position, sizeBytes }) => [position, sizeBytes])).toEqual(
      parts.map((part, at) => [at * 10, part.length]),
    );
    await bench.content.complete(version);
    await keep(version);
    const all = Buffer.concat(parts);
    const reader = (await bench.content.open(version))!;
    for (const [from, to] of [
      [0, all.length],
      [4_999, 5_002],
      [5_000, 5_001],
      [75_000, all.length],
      [0, 1],
      [5_001, 5_001],
    ]) {
      expect(await gather(reader.stream({ from: from!, to: to! }))).toEqual(all.subarray(from, to));
    }
    for await (const _ of reader.stream()) break;
  });

  test("keeps what was chosen when it was completed, and takes nothing more", async () => {
    const version = await begin();
    const parts = [1, 2, 3].map(() => bytesOf(100));
    for (const [at, part] of parts.entries()) await bench.content.append(version, { ...whole(part), position: at + 1 });
    const late = hose();
    const writing = bench.content.append(version, { source: late.source, limitBytes: 1_000, position: 2 });
    late.give(bytesOf(10));
    await expect.poll(() => segmentRows(version)).toHaveLength(4);
    expect((await bench.content.complete(version, [1, 3])).map(({ position }) => position)).toEqual([1, 3]);
    late.end();
    await expect(writing).rejects.toMatchObject({ code: "NoSuchUpload" });
    await expect(bench.content.append(version, { ...whole(bytesOf(1)), position: 9 })).rejects.toMatchObject({
      code: "NoSuchUpload",
    });
    // Asked again, as after a lost answer.
    expect(await bench.content.complete(version, [1, 3])).toHaveLength(2);
    // Somebody else has counted these by now: with others nobody completes it, and they stay.
    for (const others of [[1], [3], [2, 3], []]) {
      await expect(bench.content.complete(version, others)).rejects.toMatchObject({ code: "NoSuchUpload" });
    }
    expect(await bench.content.complete(version)).toHaveLength(2);
    await keep(version);
    expect(await read(version)).toEqual(Buffer.concat([parts[0]!, parts[2]!]));
  });

  test("that is unknown, given up or no id is refused, and nothing of it is stored", async () => {
    const before = await bench.stored();
    const gone = await begin();
    await bench.content.abandon(gone);
    for (const version of [gone, crypto.randomUUID(), "", "a,b}", "\0", "../../etc/passwd"]) {
      await expect(bench.content.append(version, { ...whole(bytesOf(9)), position: 0 })).rejects.toMatchObject({
        code: "NoSuchUpload",
      });
      await expect(bench.content.extend(version, 1_000)).rejects.toMatchObject({ code: "NoSuchUpload" });
      await expect(bench.content.complete(version)).rejects.toMatchObject({ code: "NoSuchUpload" });
      await expect(bench.content.concatenate(version, [])).rejects.toMatchObject({ code: "NoSuchUpload" });
      await expect(bench.content.copy(version, newVersion())).rejects.toMatchObject({ code: "NoSuchKey" });
      expect([await bench.content.open(version), await bench.content.segments(version)]).toEqual([null, []]);
      await bench.content.abandon(version);
    }
    expect(await bench.stored()).toEqual(before);
  });

  test("S12 that has run out takes nothing, and asking for more time never gives less", async () => {
    const version = await bench.content.begin(newVersion({ leaseMs: 60_000 }));
    await bench.content.extend(version, 10);
    await bench.content.append(version, { ...whole(bytesOf(1)), position: 0 });
    await bench.sql("update mainstay.object_versions set expires_at = now() - interval '1 second' where id = $1", [
      version,
    ]);
    await expect(bench.content.append(version, { ...whole(bytesOf(1)), position: 1 })).rejects.toMatchObject({
      code: "NoSuchUpload",
    });
    await expect(bench.content.extend(version, 10_000)).rejects.toMatchObject({ code: "NoSuchUpload" });
  });
});

describe("S08 what is refused leaves nothing", () => {
  const files = async () => (await readdir(bench.folder, { recursive: true })).length;
  const refused = async (append: Parameters<ContentBench["content"]["append"]>[1]) => {
    const version = await begin();
    const [stored, names] = [await bench.stored(), await files()];
    const error = await bench.content.append(version, append).then(
      () => null,
      (reason: unknown) => reason,
    );
    expect([await bench.stored(), await bench.content.segments(version), await segmentRows(version)]).toEqual([
      stored,
      [],
      [],
    ]);
    // Folders that hold blobs may stay.
    expect(await files()).toBeLessThanOrEqual(names + 3);
    return error;
  };

  test("by length, also with keepsPart", async () => {
    for (const keepsPart of [false, true]) {
      const exact = { source: inChunks(bytesOf(50_000), 7_000), position: 0, keepsPart };
      expect(await refused({ ...exact, limitBytes: 49_999 })).toMatchObject({ code: "EntityTooLarge" });
    }
    const version = await begin();
    await bench.content.append(version, { source: inChunks(bytesOf(50_000)), limitBytes: 50_000, position: 0 });
  });

  test("by whoever inspects the head, which is the first bytes and no more than it says", async () => {
    let seen: Buffer | null = null;
    const bytes = bytesOf(20_000);
    const inspect = (head: Buffer) => {
      seen = head;
      throw problems.invalidMimeType("text/evil");
    };
    expect(await refused({ source: inChunks(bytes, 3_000), limitBytes: 1e6, position: 0, inspect })).toMatchObject({
      code: "InvalidMimeType",
    });
    expect(seen).toEqual(bytes.subarray(0, 4_100));
    const version = await begin();
    const heads: Buffer[] = [];
    const short = { ...whole(bytes.subarray(0, 10)), position: 0, inspect: (head: Buffer) => void heads.push(head) };
    await bench.content.append(version, short);
    await bench.content.append(version, { ...short, ...whole(bytes) });
    expect(heads).toEqual([bytes.subarray(0, 10), bytes.subarray(0, 4_100)]);
    await keep(version);
    expect(await read(version)).toEqual(bytes);
  });

  test("by a source that fails, or a signal that ends it", async () => {
    const source = hose();
    source.give(bytesOf(30_000));
    source.fail(new Error("cut"));
    expect(await refused({ source: source.source, limitBytes: 1e6, position: 0 })).toMatchObject({ message: "cut" });
    const ending = new AbortController();
    const silent = hose();
    silent.give(bytesOf(30_000));
    setTimeout(() => ending.abort(new Error("left")), 50);
    expect(await refused({ source: silent.source, limitBytes: 1e6, position: 0, signal: ending.signal })).toMatchObject(
      { message: "left" },
    );
    expect(
      await refused({ ...whole(bytesOf(9)), position: 0, signal: AbortSignal.abort(new Error("gone")) }),
    ).toMatchObject({ message: "gone" });
    // With nothing in it, there is no part to keep.
    const empty = hose();
    empty.fail(new Error("at once"));
    expect(await refused({ source: empty.source, limitBytes: 1e6, position: 0, keepsPart: true })).toMatchObject({
      message: "at once",
    });
  });
});

describe("what was cut off", () => {
  test("stays as far as it came, when it is to", async () => {
    const bytes = bytesOf(90_000);
    for (const how of ["fails", "is told to stop"] as const) {
      const version = await begin();
      const source = hose();
      const ending = new AbortController();
      const writing = bench.content.append(version, {
        source: source.source,
        limitBytes: 1e6,
        position: 0,
        keepsPart: true,
        signal: ending.signal,
      });
      source.give(bytes.subarray(0, 40_000));
      source.give(bytes.subarray(40_000, 60_000));
      if (how === "fails") source.fail(new Error("cut"));
      else setTimeout(() => ending.abort(), 100);
      expect(await writing).toMatchObject({
        sizeBytes: 60_000,
        md5: Buffer.from(md5(bytes.subarray(0, 60_000)), "hex"),
      });
      await bench.content.append(version, { ...whole(bytes.subarray(60_000)), position: 1 });
      await keep(version);
      expect(await read(version)).toEqual(bytes);
    }
  });
});

describe("one position", () => {
  test("is of who ends last, as parts of S3 are", async () => {
    const version = await begin();
    const [first, second] = [hose(), hose()];
    const writing = [first, second].map(({ source }) =>
      bench.content.append(version, { source, limitBytes: 100, position: 1 }),
    );
    first.give(Buffer.from("first"));
    second.give(Buffer.from("second"));
    second.end();
    await writing[1];
    first.end();
    await writing[0];
    expect((await bench.content.segments(version)).map(({ sizeBytes }) => sizeBytes)).toEqual([5]);
    await keep(version);
    expect(await read(version)).toEqual(Buffer.from("first"));
  });

  test("S12 of two writers that may not replace, one is refused before it writes, on whatever node", async () => {
    const other = await bench.another();
    const version = await begin();
    const sources = Array.from({ length: 6 }, () => hose());
    const results = sources.map(({ source }, at) =>
      (at % 2 === 0 ? bench : other).content
        .append(version, { source, limitBytes: 100, position: 7, replaces: false })
        .then(
          () => "written",
          (error: { code: string }) => error.code,
        ),
    );
    await expect.poll(() => segmentRows(version)).toHaveLength(1);
    for (const source of sources) {
      source.give(Buffer.from("x"));
      source.end();
    }
    expect((await Promise.all(results)).sort()).toEqual([...Array(5).fill("ResourceLocked"), "written"]);
    await expect(
      bench.content.append(version, { ...whole(bytesOf(1)), position: 7, replaces: false }),
    ).rejects.toMatchObject({ status: 423 });
  });
});

describe("while it is written", () => {
  test("a version lives, however long it takes; when it is given up, its writer hears of it", async () => {
    const node = await bench.another({ storageWriterLeaseMs: 2_500 });
    const version = await node.content.begin(newVersion({ leaseMs: 2_000 }));
    const source = hose();
    const writing = node.content.append(version, { source: source.source, limitBytes: 1e6, position: 0 });
    writing.catch(() => {});
    source.give(bytesOf(100));
    for (let times = 0; times < 16; times++) {
      await new Promise((resolve) => setTimeout(resolve, 250));
      await bench.sweeper.sweep();
    }
    source.end();
    expect((await writing).sizeBytes).toBe(100);

    const silent = hose();
    const unheard = node.content.append(version, {
      source: silent.source,
      limitBytes: 1e6,
      position: 1,
      keepsPart: true,
    });
    silent.give(bytesOf(100));
    await expect.poll(() => segmentRows(version)).toHaveLength(2);
    await bench.content.abandon(version);
    await expect(unheard).rejects.toMatchObject({ code: "NoSuchUpload" });
    await node.close();
  });
});

describe("together", () => {
  test("the parts of a parallel upload become one, without their bytes moving", async () => {
    const bytes = bytesOf(40_000);
    const parts = await Promise.all([0, 1, 2].map(begin));
    for (const [at, part] of parts.entries()) {
      await bench.content.append(part, { ...whole(bytes.subarray(at * 10_000, at * 10_000 + 5_000)), position: 3 });
      await bench.content.append(part, {
        ...whole(bytes.subarray(at * 10_000 + 5_000, (at + 1) * 10_000)),
        position: 8,
      });
    }
    const version = await begin();
    await expect(bench.content.concatenate(version, [parts[0]!, parts[0]!])).rejects.toMatchObject({
      code: "NoSuchUpload",
    });
    await expect(bench.content.concatenate(version, [...parts, crypto.randomUUID()])).rejects.toMatchObject({
      code: "NoSuchUpload",
    });
    const stored = await bench.stored();
    await bench.content.concatenate(version, parts);
    expect(await bench.stored()).toEqual(stored);
    await bench.content.append(version, { ...whole(bytes.subarray(30_000)), position: 6 });
    await expect(bench.content.append(parts[1]!, { ...whole(bytes), position: 9 })).rejects.toMatchObject({
      code: "NoSuchUpload",
    });
    await bench.content.complete(version);
    await keep(version);
    await bench.sweeper.sweep();
    expect(await read(version)).toEqual(bytes);
    expect(await bench.sql("select from mainstay.object_versions where id = any ($1)", [parts])).toEqual([]);
  });

  test("a copy is its own: what it was copied from may go", async () => {
    const bytes = bytesOf(70_000);
    const version = await bench.keep(bytes);
    await expect(bench.content.copy(await begin(), newVersion())).rejects.toMatchObject({ code: "NoSuchKey" });
    const copy = await bench.content.copy(version, newVersion());
    expect(await bench.content.open(copy)).toBeNull();
    expect((await bench.content.segments(copy)).map(({ md5: sum }) => sum.toString("hex"))).toEqual([md5(bytes)]);
    await keep(copy);
    await bench.sql("delete from storage.objects where version = $1", [version]);
    await bench.sql("update mainstay.object_versions set expires_at = now() - interval '1 hour' where state = 'dead'");
    await bench.sweeper.sweep();
    expect(await read(copy)).toEqual(bytes);
    await expect((await bench.another()).content.copy(version, newVersion())).rejects.toMatchObject({
      code: "NoSuchKey",
    });
    // From memory it is known still; there is nothing to copy.
    await expect(bench.content.copy(version, newVersion())).rejects.toMatchObject({ code: "NoSuchKey" });
  });
});
