import type { StorageContext } from "../context.ts";
import type { StorageCore, StoragePart } from "../part.ts";
import type { Buckets } from "./types.ts";

export function openBuckets(_context: StorageContext): Buckets & { start(): Promise<void>; stop(): Promise<void> } {
  return { find: async () => null, start: async () => {}, stop: async () => {} };
}

export function bucketsPart(_core: StorageCore): StoragePart {
  return {};
}
