import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { problems } from "../../capabilities/storage/problems.ts";
import { storageSettings } from "../../capabilities/storage/settings.ts";
import { readSettings } from "../../kernel/settings.ts";
import type { Observation } from "../../platform/observe/observation.ts";
import { assertBlobStore, checkBlobStore, openBlobStore } from "./index.ts";
import { untilAborted } from "./until-aborted.ts";
import { watched } from "./watched.ts";

const settingsOf = (env: Record<string, string>) => readSettings(storageSettings, { env }).values;
const s3 = {
  MAINSTAY_STORAGE_BACKEND: "s3",
  MAINSTAY_STORAGE_BACKEND_S3_BUCKET: "files",
  AWS_ACCESS_KEY_ID: "id",
  AWS_SECRET_ACCESS_KEY: "the-secret",
};
async function* given(...pieces: Buffer[]): AsyncGenerator<Buffer> {
  yield* pieces;
}

test("a folder is the default, and S3 is what is set", async () => {
  const folder = await mkdtemp(join(tmpdir(), "objects-"));
  const places = { defaultFolder: join(folder, "default"), observe: () => {} };
  expect((await openBlobStore(settingsOf({}), places)).description).toBe(`folder ${folder}/default`);
  const set = join(folder, "set");
  expect((await openBlobStore(settingsOf({ MAINSTAY_STORAGE_FOLDER: set }), places)).description).toBe(`folder ${set}`);
  // Opening asks nobody: a server starts while its S3 is away.
  const store = await openBlobStore(settingsOf({ ...s3, STORAGE_S3_ENDPOINT: "http://127.0.0.1:9" }), places);
  expect(store.description).toBe("s3 bucket files at 127.0.0.1:9");
  await store.close();
  expect(await checkBlobStore(settingsOf({}))).toBeNull();
  await rm(folder, { recursive: true });
});

test.each([
  [{ MAINSTAY_STORAGE_BACKEND_S3_BUCKET: "" }, /_BUCKET is not set/],
  [{ MAINSTAY_STORAGE_BACKEND_S3_BUCKET: "files/photos" }, /_BUCKET must/],
  [{ STORAGE_S3_ENDPOINT: "minio:9000" }, /_ENDPOINT must/],
  [{ STORAGE_S3_ENDPOINT: "http://user:word@minio:9000" }, /_ENDPOINT must/],
  [{ AWS_SECRET_ACCESS_KEY: "" }, /set together/],
  [
    { AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "", STORAGE_S3_ENDPOINT: "http://minio:9000" },
    /ACCESS_KEY_ID is not/,
  ],
  [{ MAINSTAY_STORAGE_BACKEND_S3_PREFIX: "/a" }, /_PREFIX/],
  [{ MAINSTAY_STORAGE_BACKEND_S3_PREFIX: "a b" }, /_PREFIX/],
  [{ MAINSTAY_STORAGE_BACKEND_S3_KMS_KEY_ID: "key" }, /aws:kms/],
])("%j is refused before anything is opened, without its secrets", (wrong, message) => {
  const settings = settingsOf({ ...s3, ...wrong });
  expect(() => assertBlobStore(settings)).toThrow(message);
  expect(() => assertBlobStore(settings)).not.toThrow(/the-secret|word@/);
  expect(() => assertBlobStore({ ...settings, storageEnabled: false })).not.toThrow();
});

test("what is set for S3 and complete is taken, with or without an endpoint", () => {
  expect(() => assertBlobStore(settingsOf(s3))).not.toThrow();
  expect(() => assertBlobStore(settingsOf({ ...s3, AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "" }))).not.toThrow();
  expect(() => assertBlobStore(settingsOf({ ...s3, STORAGE_S3_ENDPOINT: "https://s3.example" }))).not.toThrow();
});

test("a store that fails is reported once, and once that it works again", async () => {
  let failure: Error | null = null;
  const folder = await mkdtemp(join(tmpdir(), "objects-"));
  const real = await openBlobStore(settingsOf({}), { defaultFolder: folder, observe: () => {} });
  const seen: Observation[] = [];
  const store = watched(
    {
      ...real,
      async write(...all) {
        if (failure) throw failure;
        return real.write(...all);
      },
    },
    (observation) => void seen.push(observation),
  );
  const write = () => store.write(randomUUID(), given(Buffer.from("a")));
  const kinds = () => seen.splice(0).map(({ kind }) => kind);
  await write();
  expect(kinds()).toEqual([]);
  failure = problems.storeUnavailable();
  await expect(write()).rejects.toBe(failure);
  await expect(write()).rejects.toBe(failure);
  expect(kinds()).toEqual(["storage.store-failed"]);
  expect(await store.sizeOf(randomUUID())).toBeNull();
  expect(kinds()).toEqual(["storage.store-recovered"]);
  // A full store is read as before: that tells nothing of room.
  failure = problems.storeFull();
  await expect(write()).rejects.toBe(failure);
  await store.sizeOf(randomUUID());
  expect(kinds()).toEqual(["storage.store-failed"]);
  failure = null;
  await write();
  expect(kinds()).toEqual(["storage.store-recovered"]);
  // What senders do is no failure of the store.
  failure = new Error("the sender is gone");
  await expect(write()).rejects.toBe(failure);
  expect(kinds()).toEqual([]);
  await rm(folder, { recursive: true });
});

test("what has passed a signal that lasts is not kept", async () => {
  const { signal } = new AbortController();
  const passed: WeakRef<Buffer>[] = [];
  const source = async function* (): AsyncGenerator<Buffer> {
    for (let n = 0; n < 50; n += 1) yield Buffer.alloc(100_000, n);
  };
  for await (const chunk of untilAborted(source(), signal)) {
    passed.push(new WeakRef(chunk));
    await new Promise((resolve) => setImmediate(resolve));
    if (passed.length === 50) {
      const { setFlagsFromString } = await import("node:v8");
      const { runInNewContext } = await import("node:vm");
      setFlagsFromString("--expose-gc");
      (runInNewContext("gc") as () => void)();
      expect(passed.filter((each) => each.deref() !== undefined).length).toBeLessThan(5);
    }
  }
  expect(passed).toHaveLength(50);
});
