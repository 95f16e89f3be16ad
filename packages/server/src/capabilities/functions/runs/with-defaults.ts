import type { JobOptions } from "@mainstay/functions";
import type { Jobs, NewJob } from "../../../platform/jobs/types.ts";

/** The server's own names. */
const reserved = "mainstay.";

/**
 * Puts jobs in as their definitions say, where whoever puts them in does not: for what functions enqueue. A name that no function of this node defines is
 * let through, since another node may have it.
 * @param onUnknown told of such a name once
 */
export function withDefaults(
  jobs: Pick<Jobs, "enqueue">,
  defaultsOf: (jobName: string) => JobOptions | null,
  onUnknown: (jobName: string) => void = () => {},
): Pick<Jobs, "enqueue"> {
  const told = new Set<string>();
  const filled = (job: NewJob): NewJob => {
    if (job.name.startsWith(reserved)) return job;
    const defaults = defaultsOf(job.name);
    if (defaults === null) {
      if (!told.has(job.name) && told.size < toldMax) {
        told.add(job.name);
        onUnknown(job.name);
      }
      return job;
    }
    const { queue, priority } = defaults;
    return {
      ...(queue === undefined ? {} : { queue }),
      ...(priority === undefined ? {} : { priority }),
      ...job,
    };
  };
  return { enqueue: (db, many) => jobs.enqueue(db, many.map(filled)) };
}

/** Names that somebody makes up must not pile up. */
const toldMax = 1_000;
