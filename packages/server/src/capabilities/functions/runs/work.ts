import type { JobOptions } from "@mainstay/functions";
import type { Capability } from "../../../kernel/capability.ts";
import type { Clock } from "../../../kernel/clock.ts";
import type { Values } from "../../../kernel/settings.ts";
import type { ChangeLog } from "../../../platform/changes/types.ts";
import type { Schedules } from "../../../platform/jobs/schedules/index.ts";
import type { Steps } from "../../../platform/jobs/steps/index.ts";
import type { Jobs } from "../../../platform/jobs/types.ts";
import type { Observe } from "../../../platform/observe/observation.ts";
import type { Database } from "../../../platform/postgres/database.ts";
import type { Session } from "../../../platform/postgres/session/types.ts";
import { createFunctionChanges } from "../changes/index.ts";
import { createInbound } from "../inbound/index.ts";
import type { Receive } from "../routes.ts";
import type { functionsSettings } from "../settings.ts";
import type { DefinitionSummary, Diagnostic, FunctionHost, FunctionSet } from "../types.ts";
import { createFunctionRuns, type FunctionRunsNeeds } from "./index.ts";
import type { OpenTransactions } from "./services.ts";

export interface FunctionWorkNeeds {
  readonly functions: {
    readonly host: Pick<FunctionHost, "run">;
    secretOf(name: string): string | undefined;
    onLoaded(
      listener: (
        set: FunctionSet,
        defined: ReadonlyMap<string, readonly DefinitionSummary[] | Diagnostic>,
      ) => Promise<readonly Diagnostic[]>,
    ): void;
  };
  readonly db: Database;
  readonly session: Session;
  readonly log: Pick<ChangeLog, "followDurably">;
  readonly jobs: Pick<Jobs, "enqueue" | "get" | "handle">;
  readonly schedules: Pick<Schedules, "define">;
  readonly steps: Steps;
  readonly transactions: OpenTransactions;
  /** This process: `nodes.id`. */
  readonly node: string;
  /** Runs none of it: for a server that answers requests and nothing else. What is made for later waits for one that does. */
  readonly isIdle: boolean;
  readonly settings: Values<typeof functionsSettings> & { readonly jobsPayloadMaxBytes: number };
  readonly observe: Observe;
  readonly clock: Clock;
}

/** All that functions do besides answering requests. */
export interface FunctionWork extends Capability {
  readonly receive: Receive;
  /** What jobs of this name are put in with, as their definition says; `null` when no function here defines them. */
  defaultsOf(jobName: string): JobOptions | null;
}

/** To be started before the functions are: it is told what they define when they have been loaded. */
export function createFunctionWork(needs: FunctionWorkNeeds): FunctionWork {
  const { functions, isIdle } = needs;
  const changes = createFunctionChanges(needs);
  const inbound = createInbound({ ...needs, secretOf: functions.secretOf });
  const wanted = isIdle ? nothingWanted : { changes, schedules: needs.schedules };
  const runs = createFunctionRuns({ ...needs, host: functions.host, ...wanted });
  functions.onLoaded(runs.apply);
  return {
    name: "function-work",
    routes: [],
    receive: inbound.receive,
    defaultsOf: runs.defaultsOf,
    async start() {
      if (isIdle) return;
      await changes.start();
      inbound.start();
    },
    async stop() {
      await runs.stop();
      await inbound.stop();
      await changes.stop();
    },
  };
}

/** What schedules and changes there are is for others to say. */
const nothingWanted: Pick<FunctionRunsNeeds, "changes" | "schedules"> = {
  changes: { apply: async () => [] },
  schedules: { define: async () => {} },
};
