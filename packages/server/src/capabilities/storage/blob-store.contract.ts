import { createHash, randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bytesOf, collect, given, idsOf, inPieces, liveBytes } from "./bytes.testing.ts";
import type { BlobStore, ByteRange } from "./ports.ts";

export interface BlobStoreUnderTest {
  readonly store: BlobStore;
  /** Takes the world away that the store was opened on. */
  close(): Promise<void>;
  /** Leaves behind what a writer of this blob leaves that dies half-way. */
  leaveHalf(id: string): Promise<void>;
  /** Most bytes that one write or read may hold in memory. */
  readonly memoryBytes: number;
}

const megabyte = 1024 * 1024;

/** The tests that the promises of `BlobStore` imply. Every adapter passes all of them. */
export function blobStoreContract(open: () => Promise<BlobStoreUnderTest>): void {
  let world: BlobStoreUnderTest;
  let store: BlobStore;
  beforeAll(async () => {
    world = await open();
    store = world.store;
  });
  afterAll(async () => {
    await world?.store.close();
    await world?.close();
  });

  const put = async (bytes: Buffer, id: string = randomUUID()): Promise<string> => {
    expect(await store.write(id, inPieces(bytes, 1000))).toBe(bytes.length);
    return id;
  };
  const get = async (id: string, range?: ByteRange): Promise<Buffer | null> => {
    const chunks = await store.read(id, range);
    return chunks === null ? null : collect(chunks);
  };
  const expectNothing = async (id: string): Promise<void> => {
    expect(await get(id)).toBeNull();
    expect(await store.readWhole(id)).toBeNull();
    expect(await store.sizeOf(id)).toBeNull();
    expect(await idsOf(store)).not.toContain(id);
  };

  describe("a blob", () => {
    test("is read as it was written, in a stream and at once", async () => {
      for (const sizeBytes of [0, 1, 1000, 65_536, 300_001]) {
        const bytes = bytesOf(sizeBytes);
        const id = await put(bytes);
        expect(await get(id)).toEqual(bytes);
        expect(await store.readWhole(id)).toEqual(bytes);
        expect(await store.sizeOf(id)).toBe(sizeBytes);
      }
    });

    test("may come in no piece, in one, in empty ones and in single bytes", async () => {
      const bytes = bytesOf(300);
      for (const pieces of [
        [],
        [bytes],
        [Buffer.alloc(0), bytes, Buffer.alloc(0)],
        [...bytes].map((b) => Buffer.of(b)),
      ]) {
        const id = randomUUID();
        const expected = Buffer.concat(pieces);
        expect(await store.write(id, given(pieces))).toBe(expected.length);
        expect(await get(id)).toEqual(expected);
      }
    });

    test("may come in pieces of one buffer that is filled again", async () => {
      const id = randomUUID();
      const buffer = Buffer.alloc(1000);
      await store.write(
        id,
        (async function* () {
          for (let n = 0; n < 50; n += 1) yield buffer.fill(n);
        })(),
      );
      expect(await get(id)).toEqual(Buffer.concat(Array.from({ length: 50 }, (_, n) => Buffer.alloc(1000, n))));
    });

    test("is nowhere before it is written", async () => {
      await expectNothing(randomUUID());
      expect(await get(randomUUID(), { from: 0, to: 1 })).toBeNull();
      expect(await get(randomUUID(), { from: 0, to: 0 })).toBeNull();
    });

    test("S01: is named by a UUID and by nothing else", async () => {
      for (const id of [
        "",
        "..",
        "../../etc/passwd",
        "a/b",
        "%2e%2e",
        `${randomUUID()}/..`,
        randomUUID().toUpperCase(),
      ]) {
        await expect(store.write(id, given([]))).rejects.toThrow();
        await expect(store.read(id)).rejects.toThrow();
        await expect(store.readWhole(id)).rejects.toThrow();
        await expect(store.sizeOf(id)).rejects.toThrow();
        await expect(store.copy(id, randomUUID())).rejects.toThrow();
        await expect(store.remove([id])).rejects.toThrow();
      }
    });

    test("of 40 MB goes in and out with little memory", { timeout: 120_000 }, async () => {
      const id = randomUUID();
      const total = 40 * megabyte;
      const before = liveBytes();
      const sent = createHash("sha256");
      let most = 0;
      const look = (at: number): void => {
        // Collecting garbage takes a while: every fourth megabyte tells enough.
        if (at % (4 * megabyte) === 0) most = Math.max(most, liveBytes() - before);
      };
      const source = async function* (): AsyncGenerator<Buffer> {
        for (let at = 0; at < total; at += 65_536) {
          const chunk = bytesOf(65_536, at);
          sent.update(chunk);
          yield chunk;
          look(at);
        }
      };
      // With a signal, as every request has one: whoever waits for it must not keep what has passed.
      const { signal } = new AbortController();
      expect(await store.write(id, source(), { signal })).toBe(total);
      const received = createHash("sha256");
      let length = 0;
      for await (const chunk of (await store.read(id, undefined, { signal })) ?? []) {
        received.update(chunk);
        if (Math.floor((length + chunk.length) / megabyte) > Math.floor(length / megabyte)) {
          look(Math.floor((length + chunk.length) / megabyte) * megabyte);
        }
        length += chunk.length;
      }
      expect(length).toBe(total);
      expect(received.digest("hex")).toBe(sent.digest("hex"));
      expect(most).toBeLessThan(world.memoryBytes);
      await store.remove([id]);
    });
  });

  describe("a range", () => {
    const bytes = bytesOf(600_000);
    let id: string;
    beforeAll(async () => {
      id = await put(bytes);
    });
    const edges = [0, 1, 2, 65_535, 65_536, 65_537, 262_144, 599_999, 600_000];

    test("is these bytes and no others, at every edge", async () => {
      for (const from of edges) {
        for (const to of edges.filter((each) => each >= from)) {
          const expected = bytes.subarray(from, to);
          expect((await get(id, { from, to }))?.equals(expected), `stream ${from} to ${to}`).toBe(true);
          expect((await store.readWhole(id, { from, to }))?.equals(expected), `whole ${from} to ${to}`).toBe(true);
        }
      }
    });

    test("that the blob does not have is damage, not fewer bytes", async () => {
      const asked = { from: 599_000, to: 600_001 };
      await expect(get(id, asked)).rejects.toMatchObject({ code: "storage/corrupt", status: 500 });
      await expect(store.readWhole(id, asked)).rejects.toMatchObject({ code: "storage/corrupt" });
      await expect(get(id, { from: 700_000, to: 700_001 })).rejects.toMatchObject({ code: "storage/corrupt" });
    });
  });

  describe("what fails", () => {
    test("a source that throws leaves nothing, whenever it does, and its failure is what is seen", async () => {
      for (const after of [0, 1, 100_000, 6 * megabyte]) {
        const id = randomUUID();
        const failure = new Error("the sender is gone");
        const source = async function* (): AsyncGenerator<Buffer> {
          yield* inPieces(bytesOf(after), 50_000);
          throw failure;
        };
        await expect(store.write(id, source())).rejects.toBe(failure);
        await expectNothing(id);
      }
    });

    test("a signal ends a write, also one whose source says nothing any more", async () => {
      for (const after of [0, 100_000, 6 * megabyte]) {
        const id = randomUUID();
        const stop = new AbortController();
        const reason = new Error("enough");
        const source = async function* (): AsyncGenerator<Buffer> {
          yield* inPieces(bytesOf(after), 50_000);
          setImmediate(() => stop.abort(reason));
          await new Promise(() => {});
        };
        await expect(store.write(id, source(), { signal: stop.signal })).rejects.toBe(reason);
        await expectNothing(id);
      }
      const id = randomUUID();
      await expect(store.write(id, given([bytesOf(10)]), { signal: AbortSignal.abort() })).rejects.toThrow();
      await expectNothing(id);
    });

    test("a source is closed when it is not read to its end", async () => {
      let isClosed = false;
      const stop = new AbortController();
      const source = async function* (): AsyncGenerator<Buffer> {
        try {
          for (let n = 0; ; n += 1) {
            if (n === 3) stop.abort(new Error("enough"));
            yield bytesOf(1000);
          }
        } finally {
          isClosed = true;
        }
      };
      await expect(store.write(randomUUID(), source(), { signal: stop.signal })).rejects.toThrow("enough");
      await expect.poll(() => isClosed).toBe(true);
    });

    test("a signal ends a read", async () => {
      const id = await put(bytesOf(3 * megabyte));
      const stop = new AbortController();
      const reason = new Error("enough");
      const chunks = (await store.read(id, undefined, { signal: stop.signal }))!;
      const reading = (async () => {
        for await (const _ of chunks) stop.abort(reason);
      })();
      await expect(reading).rejects.toBe(reason);
      await expect(store.read(id, undefined, { signal: stop.signal })).rejects.toBe(reason);
    });

    test("what follows a failure works", async () => {
      const id = randomUUID();
      const failing = async function* (): AsyncGenerator<Buffer> {
        yield bytesOf(1000);
        throw new Error("not now");
      };
      await expect(store.write(id, failing())).rejects.toThrow("not now");
      const bytes = bytesOf(2000, 7);
      await put(bytes, id);
      expect(await get(id)).toEqual(bytes);
    });
  });

  describe("a read", () => {
    test("that is left early gives everything back", async () => {
      const id = await put(bytesOf(2 * megabyte));
      for (let n = 0; n < 300; n += 1) {
        for await (const chunk of (await store.read(id))!) {
          expect(chunk.length).toBeGreaterThan(0);
          break;
        }
      }
      expect((await get(id))?.length).toBe(2 * megabyte);
    });

    test("that has begun gives the right bytes or fails when the blob is removed meanwhile", async () => {
      const bytes = bytesOf(3 * megabyte);
      const id = await put(bytes);
      const chunks = (await store.read(id))!;
      const received: Buffer[] = [];
      let failure: unknown = null;
      try {
        for await (const chunk of chunks) {
          if (received.length === 0) await store.remove([id]);
          received.push(chunk);
        }
      } catch (error) {
        failure = error;
      }
      const got = Buffer.concat(received);
      expect(got.equals(bytes.subarray(0, got.length))).toBe(true);
      if (failure === null) expect(got.length).toBe(bytes.length);
      await expectNothing(id);
    });

    test("waits for whoever reads", async () => {
      const id = await put(bytesOf(megabyte));
      const received: Buffer[] = [];
      for await (const chunk of (await store.read(id))!) {
        received.push(chunk);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      expect(Buffer.concat(received).equals(bytesOf(megabyte))).toBe(true);
    });
  });

  describe("a copy", () => {
    test("has the same bytes and outlives the first", async () => {
      const bytes = bytesOf(200_000);
      const from = await put(bytes);
      const to = randomUUID();
      expect(await store.copy(from, to)).toBe(true);
      expect(await get(to)).toEqual(bytes);
      await store.remove([from]);
      expect(await get(to)).toEqual(bytes);
      await expectNothing(from);
      expect(await store.sizeOf(to)).toBe(bytes.length);
    });

    test("leaves the first when it is removed", async () => {
      const bytes = bytesOf(10);
      const from = await put(bytes);
      const to = randomUUID();
      await store.copy(from, to);
      await store.remove([to]);
      expect(await get(from)).toEqual(bytes);
    });

    test("of nothing is nothing", async () => {
      const to = randomUUID();
      expect(await store.copy(randomUUID(), to)).toBe(false);
      await expectNothing(to);
    });

    test("of an empty blob, and twice to the same name", async () => {
      const [empty, full] = [await put(Buffer.alloc(0)), await put(bytesOf(5))];
      const to = randomUUID();
      expect(await store.copy(empty, to)).toBe(true);
      expect(await get(to)).toEqual(Buffer.alloc(0));
      expect(await store.copy(full, to)).toBe(true);
      expect(await store.copy(full, to)).toBe(true);
      expect(await get(to)).toEqual(bytesOf(5));
    });
  });

  describe("removing", () => {
    test("takes some away and leaves the others, and may be said twice", async () => {
      const ids = await Promise.all(Array.from({ length: 5 }, (_, n) => put(bytesOf(10, n))));
      const gone = ids.slice(0, 3);
      await store.remove([...gone, randomUUID()]);
      await store.remove(gone);
      for (const id of gone) await expectNothing(id);
      for (const id of ids.slice(3)) expect(await store.sizeOf(id)).toBe(10);
      await store.remove([]);
    });

    test("of more than a thousand at once", { timeout: 180_000 }, async () => {
      const kept = await put(bytesOf(10));
      const one = await put(bytesOf(10));
      await store.remove([...Array.from({ length: 1_010 }, () => randomUUID()), one]);
      await expectNothing(one);
      expect(await store.sizeOf(kept)).toBe(10);
    });

    test("takes half-written ones", async () => {
      const id = randomUUID();
      await world.leaveHalf(id);
      await expectNothing(id);
      await store.remove([id]);
      expect(await store.removeLeftovers(-60_000)).toBe(0);
    });
  });

  test("leftovers of writers that died are taken away when they are old, and nothing else is", async () => {
    const [kept, half] = [await put(bytesOf(1000)), randomUUID()];
    await world.leaveHalf(half);
    expect(await store.removeLeftovers(3_600_000)).toBe(0);
    expect(await store.removeLeftovers(-60_000)).toBe(1);
    expect(await store.removeLeftovers(-60_000)).toBe(0);
    await expectNothing(half);
    expect(await get(kept)).toEqual(bytesOf(1000));
  });

  test("the list has every blob once, with its size and time, and no half ones", async () => {
    const ids = await Promise.all([0, 10, 20].map((size) => put(bytesOf(size))));
    const half = randomUUID();
    await world.leaveHalf(half);
    const listed = (await Array.fromAsync(store.list())).filter(({ id }) => ids.includes(id));
    expect(new Set(listed.map(({ id }) => id)).size).toBe(3);
    expect(listed.map(({ sizeBytes }) => sizeBytes).toSorted((a, b) => a - b)).toEqual([0, 10, 20]);
    for (const { modifiedAtMs } of listed) expect(Math.abs(modifiedAtMs - Date.now())).toBeLessThan(300_000);
    expect(await idsOf(store)).not.toContain(half);
    await store.remove([half]);
    const stop = AbortSignal.abort(new Error("enough"));
    await expect(Array.fromAsync(store.list({ signal: stop }))).rejects.toThrow("enough");
  });

  test("many are written, read and removed at once", { timeout: 120_000 }, async () => {
    const ids = Array.from({ length: 200 }, () => randomUUID());
    await Promise.all(
      ids.map(async (id, n) => {
        const bytes = bytesOf(n * 997, n);
        await put(bytes, id);
        expect((await get(id))?.equals(bytes)).toBe(true);
        if (n % 2 === 0) await store.remove([id]);
      }),
    );
    const left = new Set(await idsOf(store));
    for (const [n, id] of ids.entries()) expect(left.has(id), `blob ${n}`).toBe(n % 2 === 1);
  });

  test("says where it is, and nothing secret", () => {
    expect(store.description).toMatch(/^(folder|s3 bucket) \S+/);
    expect(store.description).not.toMatch(/secret|password|AKIA/i);
  });
}
