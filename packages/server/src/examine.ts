import { examineMessages, type MessagesState } from "./capabilities/realtime/index.ts";
import type { OpenProjectDatabase } from "./open-project.ts";
import { examineLog, type LogExamination } from "./platform/changes/examine/index.ts";
import { type AskedPolicy, examinePolicies } from "./platform/policies/examine/index.ts";

export type { PublishedFacts, ReaderFacts, SlotFacts } from "./platform/changes/examine/index.ts";
export { examineReaders } from "./platform/changes/examine/index.ts";

// What can be known of a database that is open without serving it: for `mainstay doctor`.

/** How the log and realtime stand. */
export interface RealtimeExamination {
  readonly log: LogExamination;
  /** Of tables in `supabase_realtime`. */
  readonly askedPolicies: readonly AskedPolicy[];
  /** `null`: there is no `realtime.messages`. */
  readonly messages: MessagesState | null;
}

/** The publication whose tables `postgres_changes` tells of. */
export const rowsPublication = "supabase_realtime";

/** Looks, and changes nothing. Rejects as the database does. */
export async function examineRealtime({
  database,
  config,
  connectReplication,
}: Pick<OpenProjectDatabase, "database" | "config" | "connectReplication">): Promise<RealtimeExamination> {
  const log = await examineLog({ database, connect: connectReplication });
  const tables = log.published.filter(({ publication }) => publication === rowsPublication).map(({ oid }) => oid);
  return {
    log,
    askedPolicies: await examinePolicies(database, tables),
    messages: await examineMessages(database, config.realtime),
  };
}
