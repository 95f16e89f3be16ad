import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Principal } from "../../../kernel/principal.ts";
import { Problem } from "../../../kernel/problem.ts";
import { reasonOf } from "../../../kernel/reason.ts";
import type { StorageCore } from "../part.ts";
import { typeByName } from "../sites/site-types.ts";
import { filesIn } from "./files.ts";
import { declaredStore } from "./store.ts";
import type { Declared, DeclaredBucket } from "./types.ts";

/** Whose uploads these are: nobody's, and policies do not count. */
const server: Principal = {
  role: "service_role",
  claims: { role: "service_role" },
  claimsJson: '{"role":"service_role"}',
  subject: null,
  isAuthenticated: true,
  expiresAtMs: Number.POSITIVE_INFINITY,
};

/**
 * Makes the buckets that the project's files name, and uploads what is to be in them. A file that is refused, or a folder that is not there, is reported
 * and keeps nothing from starting. Rejects as the database does.
 */
export async function declareBuckets(core: StorageCore, declared: Declared): Promise<void> {
  for (const bucket of declared.buckets) {
    const isNew = await declaredStore.create(core.db, bucket);
    if (!isNew && declared.isKeptUp) await declaredStore.update(core.db, bucket);
    core.buckets.forget(bucket.id);
    if (bucket.folder !== null && (isNew || declared.isKeptUp)) await fill(core, bucket, bucket.folder, declared);
  }
}

async function fill(
  core: StorageCore,
  { id }: DeclaredBucket,
  folder: string,
  { onProgress }: Declared,
): Promise<void> {
  const warn = (message: string): void => core.observe({ kind: "warning", area: "storage", message });
  let names: readonly string[];
  try {
    names = await filesIn(folder);
  } catch (error) {
    warn(`The files for bucket ${id} could not be read: ${reasonOf(error)}`);
    return;
  }
  const present = await declaredStore.present(core.db, id, names);
  const missing = names.filter((name) => !present.has(name));
  for (const [done, name] of missing.entries()) {
    onProgress?.(`files of bucket ${id}`, done, missing.length);
    try {
      await upload(core, id, name, join(folder, name));
    } catch (error) {
      // Another node was faster.
      if (error instanceof Problem && error.code === "KeyAlreadyExists") continue;
      warn(`${name} is not in bucket ${id}: ${reasonOf(error)}`);
    }
  }
}

async function upload({ uploads }: StorageCore, bucketId: string, name: string, path: string): Promise<void> {
  const { size: sizeBytes } = await stat(path);
  await uploads.put(
    {
      who: server,
      ownerId: null,
      bucketId,
      name,
      isUpsert: false,
      operation: "storage.object.upload",
      contentType: typeByName(name) ?? "application/octet-stream",
      cacheControl: "max-age=3600",
      userMetadata: null,
      sizeBytes,
    },
    createReadStream(path),
  );
}
