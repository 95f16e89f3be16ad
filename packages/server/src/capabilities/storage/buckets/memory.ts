import { Lru } from "../../../kernel/lru.ts";
import type { Database } from "../../../platform/postgres/database.ts";
import type { StopListening } from "../../../platform/postgres/listener.ts";
import type { Bucket } from "../types.ts";
import { bucketStore } from "./store.ts";
import type { Buckets } from "./types.ts";

/** Where the database tells of buckets that change (migration 0023): the payload is an id, or nothing for all of them. */
const channel = "mainstay_buckets";

/**
 * Buckets as the server sees them, remembered until the database says otherwise. Where it cannot (the trigger is not there: a table of
 * somebody else's), nothing is remembered. Of what is not there neither: whoever has just made it by SQL finds it.
 */
export function openBucketMemory(
  db: Database,
  capacity: number,
): Buckets & { start(): Promise<void>; stop(): Promise<void> } {
  const remembered = new Lru<string, Bucket>(capacity);
  /** Grows with all news: what was read before it is not to be remembered after it. */
  let generation = 0;
  let isTold = false;
  let stopListening: StopListening | null = null;

  const forget = (id: string): void => {
    generation++;
    remembered.delete(id);
  };
  const forgetAll = (): void => {
    generation++;
    remembered.clear();
  };

  return {
    async find(id) {
      // Apps may have made any name by SQL, but this is no text to PostgreSQL (threat S01).
      if (id.includes("\0")) return null;
      const known = remembered.get(id);
      if (known !== undefined) return known;
      const before = generation;
      const bucket = await bucketStore.findAsServer(db, id);
      if (bucket !== null && isTold && capacity > 0 && before === generation) remembered.set(id, bucket);
      return bucket;
    },
    forget,
    async start() {
      stopListening = await db.listen([channel], (id) => (id === null || id === "" ? forgetAll() : forget(id)));
      isTold = await bucketStore.isTold(db);
    },
    async stop() {
      isTold = false;
      forgetAll();
      await stopListening?.();
    },
  };
}
