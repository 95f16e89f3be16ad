import { setTimeout as sleep } from "node:timers/promises";
import { reasonOf } from "../../../kernel/reason.ts";
import type { Database } from "../../postgres/database.ts";
import { sqlStateOf } from "../../postgres/sql-state.ts";
import { type PublishedState, publicationStore } from "./publication-store.ts";

/** SQLSTATE: somebody else has had the table for too long. */
const lockNotAvailable = "55P03";
/** Waits for a table's writers, in ms: the first, and the longest. */
const [writersFirstMs, writersMaxMs] = [5, 250];

/**
 * Puts tables into the log where that can be, and reports where it cannot. Rejects as the database does, or when one is in use for too
 * long.
 * @returns how they are in the log afterwards; one that is not there any more is left out
 */
export async function publish(
  { database, report }: { readonly database: Database; readonly report: (message: string) => void },
  oids: readonly number[],
): Promise<readonly PublishedState[]> {
  const states = await publicationStore.look(database, oids);
  let isAdded = false;
  for (const state of states) {
    if (state.isFollowed) continue;
    const name = `${state.schema}.${state.name}`;
    const because = (reason: string) =>
      report(
        `Policies look into ${name}, of which not every change is in the log, so that PostgreSQL is asked each time: ${reason}`,
      );
    if (state.obstacle !== null) {
      because(state.obstacle);
      continue;
    }
    try {
      await publicationStore.add(database, state);
    } catch (error) {
      if (sqlStateOf(error) === lockNotAvailable) throw error;
      // Another node may have been faster: what is there afterwards counts.
      if (!(await publicationStore.look(database, [state.oid]))[0]?.isFollowed) because(reasonOf(error));
    }
    isAdded = true;
  }
  return isAdded ? publicationStore.look(database, oids) : states;
}

/** Waits until all who have written to these by now are over, however long that takes. Rejects as the database does. */
export async function writersOver(
  database: Database,
  parts: readonly number[],
  isGivenUp: () => boolean,
): Promise<void> {
  let open = parts.length === 0 ? new Set<string>() : await publicationStore.writers(database, parts);
  for (let waitMs = writersFirstMs; open.size > 0 && !isGivenUp(); waitMs = Math.min(2 * waitMs, writersMaxMs)) {
    await sleep(waitMs, undefined, { ref: false });
    const now = await publicationStore.writers(database, parts);
    open = new Set([...open].filter((holder) => now.has(holder)));
  }
}
