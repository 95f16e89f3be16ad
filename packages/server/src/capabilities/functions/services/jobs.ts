import type { Jobs, Json, NewJob } from "../../../platform/jobs/types.ts";
import type { Database, Queryable } from "../../../platform/postgres/database.ts";
import type { Invocation, Services } from "../types.ts";
import { Arguments } from "./arguments.ts";
import { serviceProblems } from "./problems.ts";

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** The year 9999, in Unix ms: PostgreSQL takes later ones, and nobody means them. */
const latestMs = 253_402_300_799_999;

/** `ctx.jobs`. Jobs of the server itself are neither made nor shown. */
export function jobServices({ db, jobs }: { readonly db: Database; readonly jobs: Jobs }): Services {
  const isOurs = async (id: string): Promise<boolean> => {
    const job = uuid.test(id) ? await jobs.get(id) : null;
    return job !== null && !isReserved(job.name);
  };
  return {
    "jobs.enqueue": async (args, invocation) => enqueue(jobs, db, newJobIn("jobs.enqueue", args), invocation),
    "jobs.get": async (args) => {
      const id = new Arguments("jobs.get", args).text(0, "the id");
      const job = uuid.test(id) ? await jobs.get(id) : null;
      if (job === null || isReserved(job.name)) return null;
      return { ...job };
    },
    "jobs.cancel": async (args) => {
      const id = new Arguments("jobs.cancel", args).text(0, "the id");
      return (await isOurs(id)) && (await jobs.cancel(id));
    },
    "jobs.retry": async (args) => {
      const id = new Arguments("jobs.retry", args).text(0, "the id");
      return (await isOurs(id)) && (await jobs.retry(id));
    },
    "jobs.sendEvent": async (args) => {
      const given = new Arguments("jobs.sendEvent", args);
      const key = given.options(2).text("key", 500) ?? null;
      await jobs.sendEvent(db, given.text(0, "the event's name"), given.json(1), key);
      return undefined;
    },
  };
}

const isReserved = (name: string): boolean => name.startsWith("mainstay.");

export async function enqueue(
  jobs: Pick<Jobs, "enqueue">,
  db: Queryable,
  job: NewJob,
  { id, causedBy = id }: Pick<Invocation, "id" | "causedBy">,
): Promise<Json> {
  const [made] = await jobs.enqueue(db, [{ ...job, causedBy }]);
  return { id: made!.id, isNew: made!.isNew };
}

/** Name, payload and options, from `at` on. */
export function newJobIn(service: string, args: readonly Json[], at = 0): NewJob {
  const given = new Arguments(service, args);
  const name = given.text(at, "the job's name");
  if (isReserved(name)) throw serviceProblems.reservedName(name);
  const options = given.options(at + 2);
  const optional = {
    queue: options.text("queue", 200),
    key: options.text("key", 500),
    priority: options.integer("priority", -32_768, 32_767),
    runAtMs: options.number("runAtMs", 0, latestMs),
    delayMs: options.number("delayMs", 0, latestMs),
    orderKey: options.text("orderKey", 500),
    maxAttempts: options.integer("maxAttempts", 1, 10_000),
  };
  const said = Object.entries(optional).filter(([, value]) => value !== undefined);
  return { name, payload: given.json(at + 1), ...Object.fromEntries(said) };
}
