import type { Queryable } from "../../../platform/postgres/database.ts";
import { functionLogsStore } from "./store.ts";
import type { FunctionLogs } from "./types.ts";

export { createLogKeeper, type LogKeeper } from "./keeper.ts";
export { functionLogsSettings } from "./settings.ts";
export { type FunctionLog, type FunctionLogFilter, type FunctionLogs, type LogLevel, logLevels } from "./types.ts";

/** Logs of all nodes, on a database that is migrated. */
export function readFunctionLogs(db: Pick<Queryable, "query">): FunctionLogs {
  return {
    async list(filter) {
      const found = await functionLogsStore.list(db, filter);
      if (found.length > 0 || filter.requestId === undefined) return found;
      // It may be a part of the chain that it was asked for by.
      const root = await functionLogsStore.rootOf(db, filter.requestId);
      return root === null || root === filter.requestId
        ? []
        : functionLogsStore.list(db, { ...filter, requestId: root });
    },
    lastId: () => functionLogsStore.lastId(db),
  };
}
