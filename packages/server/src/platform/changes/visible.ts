import { setTimeout as sleep } from "node:timers/promises";
import type { Queryable } from "../postgres/database.ts";
import { changesStore } from "./store.ts";

/** Between looks, and how many there are at most: for a second in all. */
const [lookMs, looks] = [5, 200];

/**
 * A transaction stands in the log a moment before others see what it did: its COMMIT is on disk, and its session is not done with it.
 * Waits for that; not for ever, since with synchronous replication the moment may be long. Never rejects.
 */
export async function becomeVisible(db: Pick<Queryable, "query">, xid: number): Promise<void> {
  try {
    for (let look = 0; look < looks && (await changesStore.isEnding(db, xid)); look++) await sleep(lookMs);
  } catch {
    // Whoever asks the database next is told what is wrong with it.
  }
}
