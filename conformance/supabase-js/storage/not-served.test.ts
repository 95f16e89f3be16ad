import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apiError, ok, refusals, type StorageApp, startStorageApp, told } from "./storage-app.ts";

let app: StorageApp;
beforeAll(async () => {
  app = await startStorageApp();
  ok(await app.service.from("closed").upload("a.txt", "a"));
});
afterAll(() => app.stop());

/** Off, and named: never an address that is unknown, and never an error of ours. */
const off = (what: string) => apiError("400", "FeatureNotEnabled", `${what} is not available here`);

describe("versions of objects", () => {
  const versioning = off("Versioning");
  const files = () => app.service.from("closed");
  const versionId = "5f0c8d2e-0000-4000-8000-000000000009";

  it("buckets keep none, and say so to who believes they would", async () => {
    expect(told(await app.service.createBucket("kept", { public: false, versioningStatus: "ENABLED" }))).toEqual(
      versioning,
    );
    expect(told(await app.service.getBucket("kept"))).toEqual(refusals.noBucket);
    expect(told(await app.service.updateBucket("closed", { public: true, versioningStatus: "SUSPENDED" }))).toEqual(
      versioning,
    );
    expect(ok(await app.service.getBucket("closed")).public).toBe(false);
    ok(await app.service.createBucket("not kept", { public: false, versioningStatus: "DISABLED" }));
  });

  it("nothing is done to the present one where another was meant", async () => {
    expect(told(await files().download("a.txt", { versionId }))).toEqual(versioning);
    expect(told(await files().info("a.txt", { versionId }))).toEqual(versioning);
    expect(told(await files().createSignedUrl("a.txt", 60, { versionId }))).toEqual(versioning);
    expect(told(await files().copy("a.txt", "b.txt", { sourceVersionId: versionId }))).toEqual(versioning);
    expect(told(await files().move("a.txt", "b.txt", { sourceVersionId: versionId }))).toEqual(versioning);
    expect(told(await files().remove([{ path: "a.txt", versionId }]))).toEqual(
      apiError("400", "InvalidRequest", "body/prefixes/0 must be string"),
    );
    expect(told(await files().list("", { noncurrentVersions: "only" }))).toEqual(versioning);
    expect(told(await files().listV2({ deleteMarkers: "only" }))).toEqual(versioning);
    expect(ok(await files().list("", { noncurrentVersions: "include", deleteMarkers: "exclude" }))).toMatchObject([
      { name: "a.txt" },
    ]);
  });
});

describe("lifecycles", () => {
  it("a bucket's", async () => {
    const lifecycle = off("A bucket's lifecycle");
    const rules = [{ status: "Enabled" as const, filter: {}, noncurrentVersionExpiration: { noncurrentDays: 1 } }];
    expect(told(await app.service.getBucketLifecycle("closed"))).toEqual(lifecycle);
    expect(told(await app.service.updateBucketLifecycle("closed", { rules }))).toEqual(lifecycle);
    expect(told(await app.service.deleteBucketLifecycle("closed"))).toEqual(lifecycle);
  });
});

describe("analytics", () => {
  const tables = off("Storage of tables");

  it("buckets of tables", async () => {
    const { analytics } = app.service;
    expect(told(await analytics.createBucket("events"))).toEqual(tables);
    expect(told(await analytics.listBuckets({ limit: 1 }))).toEqual(tables);
    expect(told(await analytics.deleteBucket("events"))).toEqual(tables);
    expect(told(await app.service.createBucket("events", { public: false, type: "ANALYTICS" }))).toEqual(
      apiError("400", "FeatureNotEnabled", "Buckets of the type ANALYTICS are not available"),
    );
    await expect(analytics.setHeader("x-own", "1").throwOnError().listBuckets()).rejects.toMatchObject(tables);
  });

  it("their catalog", async () => {
    const catalog = app.service.analytics.from("events");
    for (const answer of [await catalog.listNamespaces(), await catalog.createNamespace({ namespace: ["a"] })]) {
      expect(answer.data).toBeNull();
      expect(answer.error).toMatchObject({ status: 400 });
    }
  });
});

describe("vectors", () => {
  const vectors = { ...off("Storage of vectors"), name: "StorageVectorsApiError" };

  it("buckets", async () => {
    const { vectors: client } = app.service;
    expect(told(await client.createBucket("words"))).toEqual(vectors);
    expect(told(await client.getBucket("words"))).toEqual(vectors);
    expect(told(await client.listBuckets())).toEqual(vectors);
    expect(told(await client.deleteBucket("words"))).toEqual(vectors);
    await expect(client.setHeader("x-own", "1").throwOnError().listBuckets()).rejects.toMatchObject(vectors);
  });

  it("indexes", async () => {
    const bucket = app.service.vectors.from("words");
    const wish = { indexName: "i", dataType: "float32", dimension: 2, distanceMetric: "cosine" } as const;
    expect(told(await bucket.createIndex(wish))).toEqual(vectors);
    expect(told(await bucket.getIndex("i"))).toEqual(vectors);
    expect(told(await bucket.listIndexes())).toEqual(vectors);
    expect(told(await bucket.deleteIndex("i"))).toEqual(vectors);
    await expect(bucket.setHeader("x-own", "1").throwOnError().listIndexes()).rejects.toMatchObject(vectors);
  });

  it("vectors", async () => {
    const index = app.service.vectors.from("words").index("i");
    const data = { float32: [0.5, 0.25] };
    expect(told(await index.putVectors({ vectors: [{ key: "a", data }] }))).toEqual(vectors);
    expect(told(await index.getVectors({ keys: ["a"] }))).toEqual(vectors);
    expect(told(await index.listVectors())).toEqual(vectors);
    expect(told(await index.queryVectors({ queryVector: data, topK: 1 }))).toEqual(vectors);
    expect(told(await index.deleteVectors({ keys: ["a"] }))).toEqual(vectors);
    await expect(index.setHeader("x-own", "1").throwOnError().listVectors()).rejects.toMatchObject(vectors);
  });
});
