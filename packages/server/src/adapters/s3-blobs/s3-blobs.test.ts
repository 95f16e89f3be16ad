import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { blobStoreContract } from "../../capabilities/storage/blob-store.contract.ts";
import { bytesOf } from "../../capabilities/storage/bytes.testing.ts";
import type { BlobStore } from "../../capabilities/storage/ports.ts";
import { openBucket } from "./bucket.ts";
import { copy } from "./copy.ts";
import { checkS3, openS3BlobStore } from "./index.ts";
import { type Asked, type Fault, type S3TestServer, startS3TestServer } from "./test-server.ts";
import { leaveHalfUpload, optionsFor } from "./testing.ts";

const megabyte = 1024 * 1024;

describe("a bucket of S3", () =>
  blobStoreContract(async () => {
    const server = await startS3TestServer();
    const options = optionsFor(server, { prefix: "production/" });
    return {
      store: await openS3BlobStore(options),
      close: () => server.close(),
      leaveHalf: (id) => leaveHalfUpload(options, id),
      // The server of this test is in the same process, and holds the 40 MB and what it is made of.
      memoryBytes: 24 * megabyte + 2 * 40 * megabyte,
    };
  }));

describe("with a server that fails", () => {
  let server: S3TestServer;
  let store: BlobStore;
  /** For a server that says nothing. */
  let impatient: BlobStore;
  beforeAll(async () => {
    server = await startS3TestServer();
    store = await openS3BlobStore(optionsFor(server));
    impatient = await openS3BlobStore(optionsFor(server, { answerTimeoutMs: 300 }));
  });
  afterAll(async () => {
    await store.close();
    await impatient.close();
    await server.close();
  });
  let from = 0;
  beforeEach(() => {
    server.fault = () => null;
    from = server.asked.length;
  });
  const asked = (): readonly Asked[] => server.asked.slice(from);
  /** The first so many requests that match fail. */
  const failing = (times: number, fault: Fault, matches: (asked: Asked) => boolean = () => true): void => {
    let left = times;
    server.fault = (each) => {
      if (left === 0 || !matches(each)) return null;
      left -= 1;
      return fault;
    };
  };
  const put = async (bytes: Buffer, id: string = randomUUID()): Promise<string> => {
    await store.write(id, pieces(bytes));
    return id;
  };
  const get = async (id: string): Promise<Buffer> => Buffer.concat(await Array.fromAsync((await store.read(id))!));
  const unavailable = { code: "storage/store-unavailable", status: 503 };

  test.each<[string, Fault]>([
    ["500", { kind: "refuse", status: 500, code: "InternalError" }],
    ["503", { kind: "refuse", status: 503, code: "SlowDown" }],
    ["nothing", { kind: "silent" }],
    ["a connection that breaks", { kind: "lost" }],
  ])("%s is tried again, and what is written is there once and whole", async (_, fault) => {
    const bytes = bytesOf(100_000);
    failing(2, fault);
    const id = randomUUID();
    await impatient.write(id, pieces(bytes));
    expect(asked().length).toBe(3);
    failing(2, fault);
    expect((await impatient.readWhole(id))?.equals(bytes)).toBe(true);
    failing(2, fault);
    expect(await impatient.sizeOf(id)).toBe(bytes.length);
    const other = randomUUID();
    failing(2, fault);
    expect(await impatient.copy(id, other)).toBe(true);
    failing(2, fault);
    expect((await Array.fromAsync(impatient.list())).filter((blob) => blob.id === id)).toHaveLength(1);
    failing(2, fault);
    await impatient.remove([id]);
    expect(await impatient.sizeOf(id)).toBeNull();
    expect((await get(other)).equals(bytes)).toBe(true);
  });

  test("that goes on failing is a store that is away, after as many attempts as are set, and without its secrets", async () => {
    const id = await put(bytesOf(10));
    for (const fault of [
      { kind: "refuse", status: 500, code: "InternalError" },
      { kind: "refuse", status: 503, code: "SlowDown" },
      { kind: "silent" },
      { kind: "lost" },
    ] satisfies Fault[]) {
      failing(Number.POSITIVE_INFINITY, fault);
      const refused = randomUUID();
      from = server.asked.length;
      const failure = await impatient.write(refused, pieces(bytesOf(10))).catch((error: unknown) => error);
      expect(failure).toMatchObject(unavailable);
      expect(asked().length).toBe(3);
      expect(JSON.stringify(failure, Object.getOwnPropertyNames(failure))).not.toMatch(/Signature|the-secret/);
      expect(String((failure as Error).cause)).not.toMatch(/Signature|the-secret/);
      await expect(impatient.read(id)).rejects.toMatchObject(unavailable);
      await expect(impatient.readWhole(id)).rejects.toMatchObject(unavailable);
      await expect(impatient.sizeOf(id)).rejects.toMatchObject(unavailable);
      await expect(impatient.copy(id, refused)).rejects.toMatchObject(unavailable);
      await expect(impatient.remove([id])).rejects.toMatchObject(unavailable);
      await expect(Array.fromAsync(impatient.list())).rejects.toMatchObject(unavailable);
      await expect(impatient.removeLeftovers(0)).rejects.toMatchObject(unavailable);
      server.fault = () => null;
      if (fault.kind !== "lost") expect(await impatient.sizeOf(refused)).toBeNull();
    }
  }, 60_000);

  test("what it refuses for good is not tried again", async () => {
    failing(1, { kind: "refuse", status: 403, code: "SignatureDoesNotMatch" });
    await expect(store.write(randomUUID(), pieces(bytesOf(10)))).rejects.toMatchObject(unavailable);
    expect(asked()).toHaveLength(1);
  });

  test("a bucket that is not there is no empty one", async () => {
    const lost = await openS3BlobStore({ ...optionsFor(server), bucket: "nowhere" });
    const id = randomUUID();
    await expect(lost.read(id)).rejects.toMatchObject(unavailable);
    await expect(lost.sizeOf(id)).rejects.toMatchObject(unavailable);
    await expect(lost.copy(id, randomUUID())).rejects.toMatchObject(unavailable);
    await expect(lost.write(id, pieces(bytesOf(1)))).rejects.toMatchObject(unavailable);
    await lost.close();
  });

  test.each([
    [507, "InsufficientStorage"],
    [403, "QuotaExceeded"],
  ])("no room (%i %s) is said", async (status, code) => {
    failing(Number.POSITIVE_INFINITY, { kind: "refuse", status, code });
    await expect(store.write(randomUUID(), pieces(bytesOf(10)))).rejects.toMatchObject({
      code: "storage/store-full",
      status: 507,
    });
  });

  describe("in the middle of a file", () => {
    const bytes = bytesOf(2 * megabyte);
    let id: string;
    beforeAll(async () => {
      server.fault = () => null;
      id = await put(bytes);
    });

    test.each(["cut", "stall"] as const)(
      "that is %s, the rest comes after a pause, and of the same bytes",
      async (kind) => {
        failing(2, { kind, afterBytes: 300_000 });
        expect((await get(id)).equals(bytes)).toBe(true);
        const gets = asked().map(({ headers }) => [headers.range, headers["if-match"] !== undefined]);
        expect(gets).toHaveLength(3);
        expect(gets[0]).toEqual([undefined, false]);
        for (const [range, hasMatch] of gets.slice(1)) {
          expect(range).toMatch(/^bytes=[1-9]\d*-2097151$/);
          expect(hasMatch).toBe(true);
        }
        failing(2, { kind, afterBytes: 300_000 });
        const range = { from: 70_000, to: 1_500_000 };
        expect((await store.readWhole(id, range))?.equals(bytes.subarray(70_000, 1_500_000))).toBe(true);
      },
    );

    test.each(["cut", "stall"] as const)("that is %s without end, the store is away", async (kind) => {
      failing(Number.POSITIVE_INFINITY, { kind, afterBytes: 0 });
      await expect(get(id)).rejects.toMatchObject(unavailable);
      expect(asked()).toHaveLength(3);
    });

    test("that is another one now, nothing of it is given", async () => {
      const other = await put(bytesOf(megabyte));
      let isFirst = true;
      server.fault = () => {
        if (!isFirst) return null;
        isFirst = false;
        (server.objects as Map<string, unknown>).set(other, { bytes: bytesOf(megabyte, 9), at: new Date() });
        return null;
      };
      // What was cut is of one version, the rest would be of another.
      const chunks = (await store.read(await put(bytes)))!;
      await Array.fromAsync(chunks);
      const changing = await put(bytesOf(megabyte));
      failing(1, { kind: "cut", afterBytes: 100_000 });
      const reading = (async () => {
        const received: Buffer[] = [];
        for await (const chunk of (await store.read(changing))!) {
          if (received.length === 0) {
            (server.objects as Map<string, unknown>).set(changing, { bytes: bytesOf(megabyte, 9), at: new Date() });
          }
          received.push(chunk);
        }
      })();
      await expect(reading).rejects.toMatchObject(unavailable);
    });

    test("a range that is answered with fewer bytes is no answer", async () => {
      failing(Number.POSITIVE_INFINITY, { kind: "short" }, ({ method }) => method === "GET");
      await expect(store.readWhole(id, { from: 0, to: 1000 })).rejects.toMatchObject(unavailable);
    });
  });

  describe("while a large file is written", () => {
    const bytes = bytesOf(12 * megabyte);
    const isPart = ({ query }: Asked) => query.has("partNumber");
    const isComplete = ({ method, query }: Asked) => method === "POST" && query.has("uploadId");

    test("parts are tried again, and each is there once", async () => {
      failing(2, { kind: "refuse", status: 503, code: "SlowDown" }, isPart);
      const id = await put(bytes);
      expect(asked().filter(isPart)).toHaveLength(5);
      expect((await get(id)).equals(bytes)).toBe(true);
      expect(server.uploads.size).toBe(0);
    });

    test("a part that fails ends it at once, also when its source says nothing, and it is given up", async () => {
      failing(Number.POSITIVE_INFINITY, { kind: "refuse", status: 500, code: "InternalError" }, isPart);
      const id = randomUUID();
      const source = async function* (): AsyncGenerator<Buffer> {
        yield* pieces(bytes.subarray(0, 6 * megabyte));
        await new Promise(() => {});
      };
      await expect(store.write(id, source())).rejects.toMatchObject(unavailable);
      server.fault = () => null;
      expect(server.uploads.size).toBe(0);
      expect(await store.sizeOf(id)).toBeNull();
    });

    test("a completion whose answer is lost is one", async () => {
      failing(1, { kind: "lost" }, isComplete);
      const id = await put(bytes);
      expect(asked().filter(isComplete)).toHaveLength(2);
      expect((await get(id)).equals(bytes)).toBe(true);
    });

    test("a completion that fails leaves nothing, and what cannot be given up is swept", async () => {
      server.fault = (each) =>
        isComplete(each) || each.method === "DELETE" ? { kind: "refuse", status: 500, code: "InternalError" } : null;
      const id = randomUUID();
      await expect(store.write(id, pieces(bytes))).rejects.toMatchObject(unavailable);
      server.fault = () => null;
      expect(await store.sizeOf(id)).toBeNull();
      expect(server.uploads.size).toBe(1);
      expect(await store.removeLeftovers(-60_000)).toBe(1);
      expect(server.uploads.size).toBe(0);
    });
  });

  test("copies of very large files are made in parts by the server", async () => {
    const bucket = await openBucket(optionsFor(server));
    const bytes = bytesOf(12 * megabyte);
    const [one, two] = [await put(bytes), randomUUID()];
    const limits = { wholeLimitBytes: 6 * megabyte, partBytes: 5 * megabyte };
    expect(await copy(bucket, one, two, limits)).toBe(true);
    expect((await get(two)).equals(bytes)).toBe(true);
    failing(
      Number.POSITIVE_INFINITY,
      { kind: "refuse", status: 500, code: "InternalError" },
      ({ query }) => query.get("partNumber") === "2",
    );
    await expect(copy(bucket, one, randomUUID(), limits)).rejects.toMatchObject(unavailable);
    expect(server.uploads.size).toBe(0);
    bucket.client.destroy();
  });

  test("what others have in the bucket is not listed, read or removed", async () => {
    const theirs = `elsewhere/${randomUUID()}`;
    (server.objects as Map<string, unknown>).set(theirs, { bytes: bytesOf(10), at: new Date() });
    (server.objects as Map<string, unknown>).set("holiday.jpg", { bytes: bytesOf(10), at: new Date() });
    const ours = await openS3BlobStore(optionsFor(server, { prefix: "ours/" }));
    const id = randomUUID();
    await ours.write(id, pieces(bytesOf(5)));
    expect(await Array.fromAsync(ours.list())).toMatchObject([{ id, sizeBytes: 5 }]);
    const everything = (await Array.fromAsync(store.list())).map((blob) => blob.id);
    expect(everything).not.toContain(id);
    expect(everything.join()).not.toMatch(/holiday|elsewhere/);
    await ours.close();
  });

  test("more connections than there may be wait for each other", async () => {
    const few = await openS3BlobStore({ ...optionsFor(server), connections: 4 });
    const id = await put(bytesOf(megabyte));
    const all = await Promise.all(Array.from({ length: 40 }, () => few.readWhole(id)));
    for (const each of all) expect(each?.length).toBe(megabyte);
    await few.close();
  });

  test("S3 is asked to encrypt, where that is set", async () => {
    const asking = await openS3BlobStore({ ...optionsFor(server), encryption: "aws:kms", kmsKeyId: "our-key" });
    await asking.write(randomUUID(), pieces(bytesOf(10)));
    await asking.write(randomUUID(), pieces(bytesOf(6 * megabyte)));
    const writes = asked().filter(
      ({ method, query }) => (method === "PUT" && !query.has("partNumber")) || query.has("uploads"),
    );
    expect(writes).toHaveLength(2);
    for (const { headers } of writes) {
      expect(headers["x-amz-server-side-encryption"]).toBe("aws:kms");
      expect(headers["x-amz-server-side-encryption-aws-kms-key-id"]).toBe("our-key");
    }
    await asking.close();
  });

  test("the doctor is told whether it can be used", async () => {
    expect(await checkS3(optionsFor(server))).toBeNull();
    const objects = server.objects.size;
    expect(await checkS3({ ...optionsFor(server), bucket: "nowhere" })).toMatch(/s3 bucket nowhere .*NoSuchBucket/);
    failing(Number.POSITIVE_INFINITY, { kind: "refuse", status: 403, code: "AccessDenied" });
    expect(await checkS3(optionsFor(server))).toMatch(/AccessDenied/);
    expect(server.objects.size).toBe(objects);
    expect(await checkS3({ ...optionsFor(server), endpoint: "http://127.0.0.1:9" })).toMatch(/ECONNREFUSED/);
  });
});

async function* pieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}
