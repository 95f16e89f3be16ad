import { randomUUID } from "node:crypto";
import type { BlobStore } from "../ports.ts";
import { problems } from "../problems.ts";
import type { NewVersion } from "./types.ts";
import type { WriteStore } from "./write-store.ts";
import type { Writers } from "./writers.ts";

export interface CopyNeeds {
  readonly store: WriteStore;
  readonly blobs: Pick<BlobStore, "copy">;
  readonly writers: Writers;
}

/** Blobs of one version that are copied at the same time. */
const atOnce = 8;

/** A version with the bytes of another: second names in the store, no bytes through this process. @see Content.copy */
export async function copyVersion(
  { store, blobs, writers }: CopyNeeds,
  from: string,
  sizeBytes: number,
  to: NewVersion,
): Promise<string> {
  const into = randomUUID();
  const isThere = await store.begin(into, { ...to, reservedBytes: Math.max(to.reservedBytes, sizeBytes) });
  if (!isThere) throw problems.quotaExceeded();
  try {
    const copies = await store.beginCopy(from, into);
    let isLost = false;
    for (const copy of copies) writers.add(copy.into, () => (isLost = true));
    try {
      const left = copies.values();
      const worker = async () => {
        for (const copy of left) {
          if (isLost) return;
          if (!(await blobs.copy(copy.from, copy.into))) throw problems.noSuchKey();
        }
      };
      const workers = await Promise.allSettled(Array.from({ length: atOnce }, worker));
      for (const { status, reason } of workers as PromiseRejectedResult[]) if (status === "rejected") throw reason;
    } finally {
      for (const copy of copies) writers.remove(copy.into);
    }
    // The other has ended since its size was known.
    if (copies.length === 0 && sizeBytes > 0) throw problems.noSuchKey();
    if (isLost || !(await store.finishCopy(from, into))) throw problems.noSuchKey();
    if (!(await store.complete(into))) throw problems.noSuchKey();
    return into;
  } catch (error) {
    await store.abandon(into).catch(() => {});
    throw error;
  }
}
