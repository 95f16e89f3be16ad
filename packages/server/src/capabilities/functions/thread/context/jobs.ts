import type { EnqueueOptions, JobInfo, Jobs } from "@mainstay/functions";
import type { Json } from "../../../../platform/jobs/types.ts";
import type { Wire } from "../wire.ts";

export function createJobs(wire: Wire): Jobs {
  return {
    async enqueue(name, payload, options) {
      const job = await wire.call("jobs.enqueue", enqueueArguments(name, payload, options));
      return job as { id: string; isNew: boolean };
    },
    async get(id) {
      return ((await wire.call("jobs.get", [id])) ?? null) as JobInfo | null;
    },
    async cancel(id) {
      return (await wire.call("jobs.cancel", [id])) === true;
    },
    async retry(id) {
      return (await wire.call("jobs.retry", [id])) === true;
    },
    async sendEvent(name, payload, options = {}) {
      await wire.call("jobs.sendEvent", [name, asJson(payload, "The payload of an event"), { ...options }]);
    },
  };
}

/** What the services `jobs.enqueue` and `tx.enqueue` are asked with: times as `runAtMs`, nothing that JSON does not have. */
export function enqueueArguments(name: string, payload: Json, options: EnqueueOptions = {}): readonly Json[] {
  const { runAt, ...rest } = options;
  if (runAt !== undefined && Number.isNaN(runAt.getTime())) throw new TypeError("runAt is an invalid Date.");
  const times = runAt === undefined ? {} : { runAtMs: runAt.getTime() };
  return [name, asJson(payload, "The payload of a job"), { ...rest, ...times }];
}

/**
 * What is left of a value when it has been written as JSON and read again: what jobs are run with, and steps remember.
 * @throws TypeError naming `what` when nothing is left, or it cannot be written
 */
export function asJson(value: unknown, what: string): Json {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw new TypeError(`${what} cannot be written as JSON: ${(cause as Error).message}`, { cause });
  }
  if (text === undefined) throw new TypeError(`${what} must be something that JSON can say, not ${typeof value}.`);
  return JSON.parse(text) as Json;
}
