import { randomUUID } from "node:crypto";
import { sampleSegments, sinceUnswept } from "../content/index.ts";
import type { StorageContext } from "../context.ts";
import { openCipher } from "../encryption/index.ts";
import type { BlobStore } from "../ports.ts";
import { examineStore } from "./store.ts";
import type { StorageExamination } from "./types.ts";

/** So many runs of bytes are looked for. */
const sampleSize = 100;

/** Looks, and changes nothing. Without a store nothing is looked for in it. Rejects as the database and the store do. */
export async function examineStorage(
  needs: Pick<StorageContext, "db" | "settings" | "observe"> & { readonly blobs: BlobStore | null },
): Promise<StorageExamination> {
  const { db, blobs, settings, observe } = needs;
  const cipher = openCipher(settings, observe);
  return {
    buckets: await examineStore.buckets(db),
    rules: await examineStore.rules(db),
    hasTriggers: await examineStore.hasTriggers(db),
    // Blobs have random names: those that follow a random one are a sample.
    sample:
      blobs === null ? { looked: 0, wrong: [] } : await sampleSegments({ db, blobs, cipher }, randomUUID(), sampleSize),
    unswept: await sinceUnswept(db, settings.storageReadGraceMs),
  };
}
