import type { StorageContext } from "../context.ts";
import type { StorageCore, StoragePart } from "../part.ts";
import { openBucketMemory } from "./memory.ts";
import { bucketRoutes } from "./routes.ts";
import type { Buckets } from "./types.ts";

export function openBuckets({
  db,
  settings,
}: StorageContext): Buckets & { start(): Promise<void>; stop(): Promise<void> } {
  return openBucketMemory(db, settings.storageRememberedBuckets);
}

export function bucketsPart(core: StorageCore): StoragePart {
  return { routes: bucketRoutes(core) };
}
