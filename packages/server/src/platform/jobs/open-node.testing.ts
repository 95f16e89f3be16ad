import { randomUUID } from "node:crypto";
import { readSettings, type Values } from "../../kernel/settings.ts";
import type { Nodes } from "../nodes/types.ts";
import type { Observation } from "../observe/observation.ts";
import { type Database, openDatabase } from "../postgres/database.ts";
import { openJobs } from "./index.ts";
import { jobsSettings } from "./settings.ts";
import type { Jobs } from "./types.ts";

export type JobsSettings = Values<typeof jobsSettings>;

export const quick: Partial<JobsSettings> = {
  jobsPollMs: 200,
  jobsLeaseMs: 1_000,
  jobsRetryFirstMs: 20,
  jobsRetryMaxMs: 100,
  jobsAbortGraceMs: 100,
  jobsStopMs: 500,
};

export interface TestNode {
  readonly jobs: Jobs;
  readonly db: Database;
  readonly seen: readonly Observation[];
  stop(): Promise<void>;
}

/** A node as far as jobs are concerned: a pool and a runner of its own. Not started. */
export function openNode(
  url: string,
  settings: Partial<JobsSettings> = {},
  nodes?: Pick<Nodes, "id" | "onChange">,
): TestNode {
  const seen: Observation[] = [];
  const db = openDatabase({ connectionString: url, max: 6 }, { listenerHeartbeatMs: 1_000 });
  const jobs = openJobs({
    db,
    nodes: nodes ?? { id: randomUUID(), onChange: () => () => {} },
    settings: { ...readSettings(jobsSettings, { env: {} }).values, ...quick, ...settings },
    observe: (one) => void seen.push(one),
  });
  let stopping: Promise<void> | null = null;
  const stop = () => {
    stopping ??= jobs.stop().then(() => db.close());
    return stopping;
  };
  return { jobs, db, seen, stop };
}
