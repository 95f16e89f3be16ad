import { expect, test } from "vitest";
import type { BlobReader } from "./blob-reader.ts";
import type { StoredSegment } from "./read-store.ts";
import { createReader, piecesOf } from "./reader.ts";
import { openReaders } from "./readers.ts";
import { WeightedLru } from "./weighted-lru.ts";

const segment = (blobId: string, sizeBytes: number): StoredSegment => ({
  blobId,
  sizeBytes,
  key: null,
  keyBlobId: blobId,
});

/** Blobs whose bytes are their name, and what was done with them. */
function blobs() {
  const log: string[] = [];
  const reader: BlobReader = {
    async read({ blobId }, { from, to }) {
      log.push(`open ${blobId}`);
      return (async function* () {
        try {
          for (let at = from; at < to; at += 65_536) yield Buffer.alloc(Math.min(65_536, to - at), blobId);
        } finally {
          log.push(`close ${blobId}`);
        }
      })();
    },
    async readWhole({ blobId, sizeBytes }) {
      log.push(`whole ${blobId}`);
      await new Promise(setImmediate);
      return Buffer.alloc(sizeBytes, blobId);
    },
  };
  return { log, reader };
}

const needs = (reader: BlobReader, memoryBytes = 1_000_000) => ({
  blobs: reader,
  memory: new WeightedLru<string, Buffer>(memoryBytes),
  memoryFileBytes: 1_000,
});

test("a range is parts of segments", () => {
  const segments = [segment("a", 10), segment("b", 0), segment("c", 5), segment("d", 20)];
  const pieces = (from: number, to: number) =>
    piecesOf(segments, { from, to }).map(({ segment: { blobId }, range }) => `${blobId} ${range.from}-${range.to}`);
  expect(pieces(0, 35)).toEqual(["a 0-10", "c 0-5", "d 0-20"]);
  expect(pieces(9, 11)).toEqual(["a 9-10", "c 0-1"]);
  expect(pieces(10, 15)).toEqual(["c 0-5"]);
  expect(pieces(34, 35)).toEqual(["d 19-20"]);
  expect([pieces(5, 5), pieces(35, 35), pieces(0, 0)]).toEqual([[], [], []]);
});

test("the next segment is opened before the one before it ends, and no earlier than is of use", async () => {
  const { log, reader } = blobs();
  const stream = createReader(
    "v",
    [segment("a", 3_000_000), segment("b", 10), segment("c", 10)],
    needs(reader),
  ).stream();
  let read = 0;
  let openedAt = 0;
  for await (const chunk of stream) {
    read += chunk.length;
    if (openedAt === 0 && log.includes("open b")) openedAt = read;
  }
  expect(read).toBe(3_000_020);
  expect(openedAt).toBeGreaterThan(1_800_000);
  expect(openedAt).toBeLessThan(2_200_000);
  expect(log).toEqual(["open a", "open b", "close a", "open c", "close b", "close c"]);
});

test("S09 who leaves early gives back what is open, also what was opened ahead", async () => {
  const { log, reader } = blobs();
  for await (const _ of createReader(
    "v",
    [segment("a", 100_000), segment("b", 10), segment("c", 10)],
    needs(reader),
  ).stream())
    break;
  await expect.poll(() => log).toEqual(["open a", "open b", "close a", "close b"]);
});

test("small files are read once for all who ask, and kept in bounds", async () => {
  const { log, reader } = blobs();
  const used = needs(reader, 5_000);
  const file = createReader("v1", [segment("a", 600), segment("b", 0), segment("c", 400)], used);
  const answers = await Promise.all(Array.from({ length: 20 }, () => file.whole()));
  expect(answers[0]).toEqual(Buffer.concat([Buffer.alloc(600, "a"), Buffer.alloc(400, "c")]));
  expect(new Set(answers).size).toBe(1);
  await file.whole();
  expect(log).toEqual(["whole a", "whole c"]);
  for (let n = 0; n < 20; n++) await createReader(`other ${n}`, [segment("x", 900)], used).whole();
  expect(used.memory.weight).toBeLessThanOrEqual(5_000);
  await file.whole();
  expect(log.filter((line) => line === "whole a")).toHaveLength(2);
  expect(await createReader("large", [segment("a", 600), segment("b", 401)], used).whole()).toBeNull();
});

test("a read that failed is tried anew by who asks next", async () => {
  let isAway = true;
  const { reader } = blobs();
  const file = createReader("v", [segment("a", 10)], {
    ...needs({ ...reader, readWhole: (one) => (isAway ? Promise.reject(new Error("away")) : reader.readWhole(one)) }),
  });
  await expect(Promise.all([file.whole(), file.whole()])).rejects.toThrow("away");
  isAway = false;
  expect(await file.whole()).toHaveLength(10);
});

test("where bytes are is asked once, and never of what is not kept yet", async () => {
  const asked: string[] = [];
  const kept = new Map([["v1", [segment("a", 5)]]]);
  const { reader } = blobs();
  const readers = openReaders({
    store: {
      async manifest(version) {
        asked.push(version);
        await new Promise(setImmediate);
        return kept.get(version) ?? null;
      },
    },
    blobs: reader,
    settings: { storageMemoryBytes: 1_000, storageMemoryFileBytes: 100, storageRememberedSegments: 40 },
  });
  const [one, two] = await Promise.all([readers.open("v1"), readers.open("v1")]);
  expect(one).toBe(two);
  expect(await readers.open("v1")).toBe(one);
  expect([await readers.open("v2"), asked]).toEqual([null, ["v1", "v2"]]);
  kept.set("v2", []);
  expect((await readers.open("v2"))?.sizeBytes).toBe(0);
  for (let n = 0; n < 100; n++) {
    kept.set(`many ${n}`, [segment("a", 1)]);
    await readers.open(`many ${n}`);
  }
  await readers.open("v1");
  expect(asked.filter((version) => version === "v1")).toHaveLength(2);
});
