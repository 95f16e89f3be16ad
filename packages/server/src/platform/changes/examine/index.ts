import type { Problem } from "../../../kernel/problem.ts";
import type { Database, Queryable } from "../../postgres/database.ts";
import type { ConnectReplication } from "../../postgres/replication.ts";
import { cursorStore, type ReaderFacts } from "../durable/store.ts";
import { unavailableBecause, walLevelTooLow } from "../problems.ts";
import { examineStore, type PublishedFacts, type SlotFacts } from "./store.ts";

export type { ReaderFacts } from "../durable/store.ts";
export type { PublishedFacts, SlotFacts } from "./store.ts";

/** How the log is, for people: `mainstay doctor`. */
export interface LogExamination {
  /** Why the log of this database cannot be followed; `null` when it can. */
  readonly problem: Problem | null;
  readonly slots: readonly SlotFacts[];
  readonly publications: readonly string[];
  readonly published: readonly PublishedFacts[];
}

/** Looks, and makes nothing, no slot either. Rejects as the database does. */
export async function examineLog(needs: {
  readonly database: Database;
  readonly connect: ConnectReplication;
}): Promise<LogExamination> {
  const { database, connect } = needs;
  const problem = await attempt(connect);
  const [slots, publications, published] = await Promise.all([
    examineStore.slots(database),
    examineStore.publications(database),
    examineStore.published(database),
  ]);
  return { problem, slots, publications, published };
}

/** How the durable readers of a database stand, whoever reads for them. Rejects as the database does. */
export const examineReaders = (db: Pick<Queryable, "query">): Promise<readonly ReaderFacts[]> => cursorStore.facts(db);

/** As far as one comes without a slot: a connection that may stream, and a log that can be decoded. */
async function attempt(connect: ConnectReplication): Promise<Problem | null> {
  try {
    const connection = await connect();
    try {
      const [row] = await connection.query("select current_setting('wal_level') as level");
      if (row?.level !== "logical") return walLevelTooLow(row?.level ?? "unknown");
      await connection.query("IDENTIFY_SYSTEM");
      return null;
    } finally {
      await connection.close();
    }
  } catch (error) {
    const problem = unavailableBecause(error);
    if (problem === null) throw error;
    return problem;
  }
}
