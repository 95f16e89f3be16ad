import type { Values } from "../../kernel/settings.ts";
import type { Observe } from "../observe/observation.ts";
import type { Database } from "../postgres/database.ts";
import type { RoleLogins } from "../postgres/role-login.ts";
import { createSchedules, type Schedules } from "./schedules/index.ts";
import type { jobsSettings } from "./settings.ts";
import { createSqlCron } from "./sql-cron/index.ts";
import { createEventDelivery, createSteps, type Steps } from "./steps/index.ts";
import type { Jobs } from "./types.ts";

export interface JobTimeNeeds {
  readonly db: Database;
  readonly jobs: Pick<Jobs, "enqueue" | "handle">;
  /** Who commands of `cron.schedule` are run as. */
  readonly logins: RoleLogins;
  readonly settings: Values<typeof jobsSettings>;
  readonly observe: Observe;
}

/** What jobs have to do with time: workflows that sleep and wait, schedules, and those of SQL. */
export interface JobTime {
  readonly steps: Steps;
  readonly schedules: Schedules;
  start(): Promise<void>;
  /** Before the jobs themselves are stopped: commands under way are theirs to wait for. */
  stop(): Promise<void>;
}

export function createJobTime(needs: JobTimeNeeds): JobTime {
  const steps = createSteps(needs);
  const schedules = createSchedules(needs);
  const parts = [createEventDelivery(needs), createSqlCron({ ...needs, steps }), schedules];
  return {
    steps,
    schedules,
    async start() {
      for (const part of parts) await part.start();
    },
    async stop() {
      for (const part of [...parts].reverse()) await part.stop();
    },
  };
}
