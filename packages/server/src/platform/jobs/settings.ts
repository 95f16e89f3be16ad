import { integer, type Settings } from "../../kernel/settings.ts";

/** Work that outlives a request. */
export const jobsSettings = {
  jobsConcurrency: integer({
    env: ["MAINSTAY_JOBS_CONCURRENCY"],
    default: 32,
    unit: "jobs",
    min: 1,
    max: 10_000,
    summary: "Jobs that one node runs at once.",
  }),
} satisfies Settings;
