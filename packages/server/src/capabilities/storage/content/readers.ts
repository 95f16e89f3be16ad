import type { Values } from "../../../kernel/settings.ts";
import type { BlobReader } from "./blob-reader.ts";
import type { ReadStore } from "./read-store.ts";
import { createReader } from "./reader.ts";
import type { contentSettings } from "./settings.ts";
import type { ContentReader } from "./types.ts";
import { WeightedLru } from "./weighted-lru.ts";

export interface ReadersNeeds {
  readonly store: Pick<ReadStore, "manifest">;
  readonly blobs: BlobReader;
  readonly settings: Pick<
    Values<typeof contentSettings>,
    "storageMemoryBytes" | "storageMemoryFileBytes" | "storageRememberedSegments"
  >;
}

/**
 * Versions that are kept, as they are known: a version never changes, so nothing of this ever has to be taken back. What is remembered of one
 * that has died is not asked for any more, since nothing names it. Files are in memory as they are sent, encrypted ones too: whoever can read
 * this process's memory finds their keys there anyway.
 */
export function openReaders({ store, blobs, settings }: ReadersNeeds) {
  const known = new WeightedLru<string, ContentReader>(settings.storageRememberedSegments);
  const memory = new WeightedLru<string, Buffer>(settings.storageMemoryBytes);
  const asking = new Map<string, Promise<ContentReader | null>>();

  const ask = async (version: string): Promise<ContentReader | null> => {
    const segments = await store.manifest(version, "kept");
    if (segments === null) return null;
    const reader = createReader(version, segments, { blobs, memory, memoryFileBytes: settings.storageMemoryFileBytes });
    known.set(version, reader, 1 + segments.length);
    return reader;
  };

  return {
    /** `null` when no such version is kept. Who asks while it is asked for gets the same. */
    async open(version: string): Promise<ContentReader | null> {
      const reader = known.get(version);
      if (reader !== undefined) return reader;
      let answer = asking.get(version);
      if (answer === undefined) {
        answer = ask(version).finally(() => asking.delete(version));
        asking.set(version, answer);
      }
      return answer;
    },

    /** Of one that is received: it may still end, so nothing of it is remembered. */
    async openReceived(version: string): Promise<ContentReader | null> {
      const segments = await store.manifest(version, "receiving");
      return segments === null ? null : createReader(version, segments, { blobs, memory, memoryFileBytes: 0 });
    },
  };
}
