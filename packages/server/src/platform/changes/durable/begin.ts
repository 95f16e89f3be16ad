import type { Lsn } from "../../../kernel/change.ts";
import type { Database } from "../../postgres/database.ts";
import type { ReplicationConnection } from "../../postgres/replication.ts";
import { durableSlotName, ensureDurableSlot } from "../durable-slot.ts";
import { walLevelTooLow } from "../problems.ts";
import { slotStore } from "../store.ts";
import { cursorStore } from "./store.ts";
import type { Worker } from "./worker.ts";

/**
 * Puts all workers where their cursors are, in the database: another node may have moved them. A new reader begins now, which is after
 * the slot began that keeps the log. @returns where to begin for all
 */
export async function beginReading(needs: {
  readonly connection: ReplicationConnection;
  readonly database: Database;
  readonly workers: readonly Worker[];
}): Promise<{ readonly connection: ReplicationConnection; readonly from: Lsn }> {
  const { connection, database, workers } = needs;
  try {
    await Promise.all(workers.map((worker) => worker.end()));
    const [level] = await connection.query("select current_setting('wal_level') as found");
    if (level!.found !== "logical") throw walLevelTooLow(level!.found!);
    const oid = await slotStore.databaseOid(database);
    const epoch = await epochOf(connection, oid);
    const slot = durableSlotName(oid);
    const isNew = await ensureDurableSlot(connection, slot);
    const stored = await cursorStore.enroll(
      database,
      workers.map(({ name }) => name),
      epoch,
    );
    const { current: now, confirmed } = await slotStore.state(database, slot);
    // Lost again in this moment: it is tried again.
    if (confirmed === null) throw new Error(`The slot "${slot}" is gone.`);
    let from = now;
    for (const cursor of stored) {
      const worker = workers.find(({ name }) => name === cursor.name)!;
      worker.begin(cursor, epoch);
      // A place in another history says nothing about this one, and neither does one that this one has not come to.
      if (cursor.epoch !== epoch || cursor.lsn > now) worker.restart("slot-lost", now);
      else if (cursor.lsn < confirmed) worker.fall(isNew ? "slot-lost" : "retention", confirmed);
      if (worker.head.lsn < from) from = worker.head.lsn;
    }
    return { connection, from };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** Names the history that places are of. */
async function epochOf(connection: ReplicationConnection, databaseOid: number): Promise<string> {
  const [system] = await connection.query("IDENTIFY_SYSTEM");
  return `${system!.systemid}/${system!.timeline}/${databaseOid}`;
}
