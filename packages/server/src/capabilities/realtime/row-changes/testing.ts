import { templateDatabase, testDatabase } from "@mainstay/testing";
import { readSettings, type Values } from "../../../kernel/settings.ts";
import { type ChangeLog, changesSettings, openChangeLog } from "../../../platform/changes/index.ts";
import { openDatabase } from "../../../platform/postgres/database.ts";
import { connectReplication } from "../../../platform/postgres/replication.ts";
import { openTestRealtime, type Received, type TestRealtime, type TestRealtimeOptions } from "../testing.ts";
import { type AskingPolicies, openAskingPolicies } from "./asking-policies.testing.ts";
import { createRowChanges } from "./index.ts";

export interface ChangesBench {
  readonly realtime: TestRealtime;
  readonly log: ChangeLog;
  readonly policies: AskingPolicies;
  close(): Promise<void>;
}

/** Row changes on a real database and its real log, with sockets in memory. */
export async function openChangesBench(
  sql: string,
  options: Pick<TestRealtimeOptions, "settings" | "features"> = {},
  logOptions: Partial<Values<typeof changesSettings>> = {},
): Promise<ChangesBench> {
  const database = await testDatabase(await templateDatabase());
  const log = openLog(database.url, logOptions);
  const policies = await openAskingPolicies(database.url);
  let stop = () => {};
  const realtime = await openTestRealtime({
    features: (context) => {
      const rowChanges = createRowChanges(context);
      rowChanges.start();
      stop = () => rowChanges.stop();
      return [rowChanges];
    },
    ...options,
    sql,
    database,
    log: log.log,
    policies,
  });
  return {
    realtime,
    log: log.log,
    policies,
    async close() {
      stop();
      await log.close();
      await policies.close();
      await realtime.close();
      await database.drop();
    },
  };
}

/** The log of a database, as a node opens it. */
export function openLog(
  url: string,
  options: Partial<Values<typeof changesSettings>> = {},
): { log: ChangeLog; close(): Promise<void> } {
  const db = openDatabase({ connectionString: url });
  const log = openChangeLog({
    database: db,
    connect: () => connectReplication({ connectionString: url }),
    settings: { ...readSettings(changesSettings, { env: {} }).values, ...options },
    observe: () => {},
  });
  return {
    log,
    async close() {
      await log.close();
      await db.close();
    },
  };
}

export interface ChangeData {
  readonly schema: string;
  readonly table: string;
  readonly commit_timestamp: string;
  readonly type: string;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly record?: Readonly<Record<string, unknown>>;
  readonly old_record?: Readonly<Record<string, unknown>>;
  readonly errors: readonly string[] | null;
}

export const changeOf = (message: Received): { readonly ids: readonly number[]; readonly data: ChangeData } =>
  message.payload as { ids: readonly number[]; data: ChangeData };
