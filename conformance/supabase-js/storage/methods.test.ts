import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";

/** Where each public method of `client.storage` is tried: the file calls it by its name. */
const tried: Readonly<Record<string, string>> = {
  createBucket: "buckets.test.ts",
  deleteBucket: "buckets.test.ts",
  emptyBucket: "buckets.test.ts",
  getBucket: "buckets.test.ts",
  listBuckets: "buckets.test.ts",
  updateBucket: "buckets.test.ts",
  setHeader: "policies.test.ts",
  throwOnError: "downloads.test.ts",
  deleteBucketLifecycle: "not-served.test.ts",
  getBucketLifecycle: "not-served.test.ts",
  purgeBucketCache: "transforms.test.ts",
  updateBucketLifecycle: "not-served.test.ts",
  from: "uploads.test.ts",
  "from.copy": "changes.test.ts",
  "from.createSignedUploadUrl": "signed.test.ts",
  "from.createSignedUrl": "signed.test.ts",
  "from.createSignedUrls": "signed.test.ts",
  "from.download": "downloads.test.ts",
  "from.exists": "downloads.test.ts",
  "from.getPublicUrl": "downloads.test.ts",
  "from.info": "downloads.test.ts",
  "from.list": "lists.test.ts",
  "from.listV2": "lists.test.ts",
  "from.move": "changes.test.ts",
  "from.purgeCache": "transforms.test.ts",
  "from.remove": "changes.test.ts",
  "from.setHeader": "policies.test.ts",
  "from.throwOnError": "downloads.test.ts",
  "from.toBase64": "uploads.test.ts",
  "from.update": "uploads.test.ts",
  "from.upload": "uploads.test.ts",
  "from.uploadToSignedUrl": "signed.test.ts",
  "analytics.createBucket": "not-served.test.ts",
  "analytics.deleteBucket": "not-served.test.ts",
  "analytics.from": "not-served.test.ts",
  "analytics.listBuckets": "not-served.test.ts",
  "analytics.setHeader": "not-served.test.ts",
  "analytics.throwOnError": "not-served.test.ts",
  "vectors.createBucket": "not-served.test.ts",
  "vectors.deleteBucket": "not-served.test.ts",
  "vectors.from": "not-served.test.ts",
  "vectors.getBucket": "not-served.test.ts",
  "vectors.listBuckets": "not-served.test.ts",
  "vectors.setHeader": "not-served.test.ts",
  "vectors.throwOnError": "not-served.test.ts",
  "vectors.from.createIndex": "not-served.test.ts",
  "vectors.from.deleteIndex": "not-served.test.ts",
  "vectors.from.getIndex": "not-served.test.ts",
  "vectors.from.index": "not-served.test.ts",
  "vectors.from.listIndexes": "not-served.test.ts",
  "vectors.from.setHeader": "not-served.test.ts",
  "vectors.from.throwOnError": "not-served.test.ts",
  "vectors.from.index.deleteVectors": "not-served.test.ts",
  "vectors.from.index.getVectors": "not-served.test.ts",
  "vectors.from.index.listVectors": "not-served.test.ts",
  "vectors.from.index.putVectors": "not-served.test.ts",
  "vectors.from.index.queryVectors": "not-served.test.ts",
  "vectors.from.index.setHeader": "not-served.test.ts",
  "vectors.from.index.throwOnError": "not-served.test.ts",
};

/** What a member leads to, where that has methods of its own. */
const scopes: Readonly<Record<string, string>> = {
  "StorageClient.from": "StorageFileApi",
  "StorageClient.vectors": "StorageVectorsClient",
  "StorageClient.analytics": "StorageAnalyticsClient",
  "StorageVectorsClient.from": "VectorBucketScope",
  "VectorBucketScope.index": "VectorIndexScope",
};

/** The client's own declarations, which are all there is to say about what is public in it. */
const declarations = (() => {
  const { resolve } = createRequire(createRequire(import.meta.url).resolve("@supabase/supabase-js"));
  const path = join(dirname(resolve("@supabase/storage-js")), "index.d.mts");
  return readFileSync(path, "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
})();

/** Methods of a class with those it inherits, and of what they lead to. Members stand at two spaces, and nothing else does. */
function methodsOf(name: string, path = ""): readonly string[] {
  const [, parent, body] =
    new RegExp(`class ${name}(?:<[^{]*>)?(?: extends (\\w+)[^{]*)? \\{\\n([\\s\\S]*?)\\n\\}`).exec(declarations) ?? [];
  if (body === undefined) throw new Error(`no class ${name}`);
  const found = new Set<string>(parent === undefined ? [] : methodsOf(parent, path));
  for (const [, accessor, member = ""] of body.matchAll(/^ {2}(get )?([a-z]\w*)[(<]/gim)) {
    if (member === "constructor") continue;
    if (accessor === undefined) found.add(path + member);
    const scope = scopes[`${name}.${member}`];
    if (scope !== undefined) for (const method of methodsOf(scope, `${path}${member}.`)) found.add(method);
  }
  return [...found];
}

describe("public methods of client.storage", () => {
  it("are each named above, and what is named is there", () => {
    expect(methodsOf("StorageClient").toSorted()).toEqual(Object.keys(tried).toSorted());
  });

  it.each(Object.entries(tried))("%s is called in %s", (path, file) => {
    const name = path.split(".").at(-1) ?? "";
    const text = readFileSync(join(import.meta.dirname, file), "utf8");
    expect(text).toMatch(new RegExp(`\\.${name}\\(|"${name}"`));
  });
});
