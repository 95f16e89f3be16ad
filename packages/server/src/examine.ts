import {
  examineChangeGaps,
  examineFunctions as examineProjectFunctions,
  type FunctionsExamination,
} from "./capabilities/functions/index.ts";
import { examineMessages, type MessagesState } from "./capabilities/realtime/index.ts";
import {
  examineStorage as examineOpenStorage,
  hasKeptBytes,
  type StorageExamination,
} from "./capabilities/storage/index.ts";
import { examineWebhooks, type WebhookTrouble } from "./capabilities/webhooks/index.ts";
import type { Config } from "./config.ts";
import type { OpenProjectDatabase } from "./open-project.ts";
import { examineLog, type LogExamination } from "./platform/changes/examine/index.ts";
import { createJobTools, type JobTrouble, type LateSchedule } from "./platform/jobs/tools.ts";
import type { Observe } from "./platform/observe/observation.ts";
import { type AskedPolicy, examinePolicies } from "./platform/policies/examine/index.ts";

import { openProjectBlobs } from "./project-parts.ts";

export type { FunctionsExamination } from "./capabilities/functions/index.ts";
export type { StorageExamination } from "./capabilities/storage/index.ts";
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

/**
 * Buckets, their rules, and whether bytes are where they should be. Rejects as the database and the store do, and with a SettingError when the folder of
 * files is not the one it was.
 */
export async function examineStorage(
  { database, config }: Pick<OpenProjectDatabase, "database" | "config">,
  observe: Observe,
): Promise<StorageExamination> {
  // Opening a folder makes it: not for a look, and where nothing is kept there is nothing to look for.
  const blobs = (await hasKeptBytes(database)) ? await openProjectBlobs(config, database, observe) : null;
  try {
    return await examineOpenStorage({ db: database, blobs, settings: config.storage, observe });
  } finally {
    await blobs?.close();
  }
}

/** Builds the project's functions and says what is wrong with them; `null` when it has none, or they are switched off. */
export async function examineFunctions({
  project,
  functions,
  functionSecrets,
}: Config): Promise<FunctionsExamination | null> {
  const { dir: projectDir, functionsDir, supabaseConfigFile } = project;
  if (functionsDir === null || !functions.functionsEnabled) return null;
  return examineProjectFunctions({
    projectDir,
    functionsDir,
    supabaseConfigFile,
    secrets: functionSecrets,
    settings: functions,
  });
}

/** What is to be done later, and is not. */
export interface WorkExamination {
  readonly jobs: readonly JobTrouble[];
  readonly schedules: readonly LateSchedule[];
  readonly webhooks: readonly WebhookTrouble[];
  /** Changes of the last day that functions were not told of, by handler. */
  readonly gaps: readonly { readonly handler: string; readonly count: number; readonly reason: string }[];
}

/** What could have run so long ago is late, in ms. */
const lateMs = 300_000;
const dayMs = 86_400_000;

/** Looks, and changes nothing. Rejects as the database does. */
export async function examineWork({ database }: Pick<OpenProjectDatabase, "database">): Promise<WorkExamination> {
  const tools = createJobTools(database);
  return {
    jobs: await tools.trouble(lateMs),
    schedules: await tools.lateSchedules(lateMs),
    webhooks: await examineWebhooks(database),
    gaps: await examineChangeGaps(database, dayMs),
  };
}
