import type { Context, JobContext } from "@mainstay/functions";
import type { Json } from "../../../../platform/jobs/types.ts";
import type { ThreadInvocation, Wire } from "../wire.ts";
import { createBase, type Shared } from "./context.ts";
import { createRun, type Run } from "./steps.ts";

/** What the server says of the job that is run, in an invocation's `context.job`. */
interface JobAsJson {
  readonly id: string;
  readonly name: string;
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly key: string | null;
  /** ISO 8601. */
  readonly createdAt: string;
}

type WithJob = ThreadInvocation & { readonly context: { readonly job: JobAsJson } };

export const hasJob = (invocation: ThreadInvocation): invocation is WithJob =>
  (invocation.context as { readonly job?: Json } | null)?.job !== undefined;

const runs = new WeakMap<object, Run>();

/** The context of a run of a job. All that it asks of the server goes through the run, which may be over before its handler is. */
export function createJobContext(shared: Shared, invocation: WithJob, wire: Wire): JobContext {
  const { steps, ...run } = createRun(wire);
  const { job } = invocation.context;
  const own = {
    job: { ...job, createdAt: new Date(job.createdAt) },
    async progress(part: number): Promise<void> {
      if (!(part >= 0 && part <= 1)) throw new TypeError("Progress is a part: 0 to 1.");
      await run.wire.call("job.progress", [part]);
    },
    ...steps,
  };
  const base: Context = createBase(shared, invocation, run.wire);
  const context = Object.defineProperties(base, Object.getOwnPropertyDescriptors(own)) as JobContext;
  runs.set(context, { steps, ...run });
  return context;
}

/**
 * Runs a job's handler to its end: steps under way are waited for, so that what was done is remembered.
 * @throws Suspension when it goes on later, also when the handler has caught that; whatever else the handler throws
 */
export async function runToEnd<T>(context: unknown, handler: () => T): Promise<Awaited<T>> {
  const run = typeof context === "object" && context !== null ? runs.get(context) : undefined;
  if (run === undefined) return await handler();
  try {
    return await handler();
  } finally {
    await run.end();
  }
}
