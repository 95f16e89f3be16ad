import type { JobContext, Transaction } from "@mainstay/functions";
import type { Json } from "../../../../platform/jobs/types.ts";
import { Suspension, type Wire } from "../wire.ts";
import { asJson } from "./jobs.ts";
import { inTransaction } from "./transaction.ts";
import { waitMs } from "./wait.ts";

/** What the services `job.step`, `job.sleep` and `job.wait` answer: what is remembered, or how the run ends here. */
export interface StepAnswer {
  readonly isDone: boolean;
  readonly value?: Json;
  /** Of a step that is not done and cannot be done now: what the runner of jobs makes of the end of this run. */
  readonly suspended?: Json;
}

/** A moment (Unix ms), or so long from now, which PostgreSQL's clock counts: a node's own decides nothing (threat X18). */
type Until = { readonly untilMs: number } | { readonly forMs: number };
type WaitOptions = NonNullable<Parameters<JobContext["waitForEvent"]>[1]>;
type Steps = Pick<JobContext, "step" | "stepInTransaction" | "sleep" | "sleepUntil" | "waitForEvent" | "complete">;

/** Steps of one run of a job, and how the run comes to its end. */
export interface Run {
  readonly steps: Steps;
  /** What everything else of the run's context asks through: nothing any more once the run goes on later. */
  readonly wire: Wire;
  /** Waits for steps that are under way. @throws Suspension when the run goes on later, whatever the handler has made of it */
  end(): Promise<void>;
}

/**
 * A workflow is its handler, run from its beginning each time; what it did before is remembered by name. When it must wait, a
 * `Suspension` goes through the handler. One that catches it gains nothing: no step begins any more, nothing is asked of the server,
 * and the run ends as suspended.
 */
export function createRun(wire: Wire): Run {
  const names = new Set<string>();
  const underWay = new Set<Promise<unknown>>();
  let suspension: Suspension | null = null;
  let isComplete = false;

  const assertGoesOn = (): void => {
    if (suspension !== null) throw suspension;
    if (isComplete) throw new Error("The job is complete: nothing may follow `complete`.");
  };
  const guarded: Wire = {
    call: async (service, args) => {
      assertGoesOn();
      return await wire.call(service, args);
    },
    fetch: async (input, as, signal) => {
      assertGoesOn();
      return await wire.fetch(input, as, signal);
    },
    log: (level, message, fields) => wire.log(level, message, fields),
  };

  /** Begins a step. @throws when the run is over, or its name was used already */
  const begin = <T>(name: string, work: () => Promise<T>): Promise<T> => {
    try {
      assertGoesOn();
      if (typeof name !== "string" || name === "") throw new TypeError("A step has a name.");
      if (names.has(name))
        throw new Error(`A step named "${name}" has begun in this run already: each needs a name of its own.`);
      names.add(name);
    } catch (error) {
      return Promise.reject(error);
    }
    const step = work();
    underWay.add(step);
    const over = () => underWay.delete(step);
    step.then(over, over);
    return step;
  };

  const suspend = (outcome: Json): never => {
    suspension ??= new Suspension(outcome);
    throw suspension;
  };
  const waitFor = async (service: string, args: readonly Json[]): Promise<Json | undefined> => {
    const answer = (await wire.call(service, args)) as unknown as StepAnswer;
    return answer.isDone ? answer.value : suspend(answer.suspended ?? null);
  };
  const sleep = (name: string, until: Until): Promise<void> =>
    begin(name, async () => {
      await waitFor("job.sleep", [name, until]);
    });

  return {
    wire: guarded,
    steps: {
      step: <T>(name: string, work: () => Promise<T> | T) =>
        begin(name, async () => {
          const known = (await wire.call("job.step", [name])) as unknown as StepAnswer;
          if (known.isDone) return known.value as T;
          const value = remembered(name, await work());
          await wire.call("job.stepDone", [name, value]);
          return value as T;
        }),
      stepInTransaction: <T>(name: string, work: (tx: Transaction) => Promise<T>) =>
        begin(name, async () => {
          const known = (await wire.call("job.step", [name])) as unknown as StepAnswer;
          if (known.isDone) return known.value as T;
          let value: Json = null;
          await inTransaction(wire, "caller", work, async (handle, given) => {
            value = remembered(name, given);
            await wire.call("job.stepCommit", [handle, name, value]);
          });
          return value as T;
        }),
      sleep: async (name, duration) => await sleep(name, { forMs: waitMs(duration) }),
      sleepUntil: async (name, time) => {
        if (Number.isNaN(time.getTime())) throw new TypeError("The time to sleep until is an invalid Date.");
        await sleep(name, { untilMs: time.getTime() });
      },
      waitForEvent: <T extends Json>(
        event: string,
        { key, timeout, step: name = key === undefined ? event : `${event}/${key}` }: WaitOptions = {},
      ) =>
        begin(name, async () => {
          const until: Until | null = timeout === undefined ? null : { forMs: waitMs(timeout) };
          return ((await waitFor("job.wait", [name, event, key ?? null, until])) ?? null) as T | null;
        }),
      complete: async <T>(work: (tx: Transaction) => Promise<T>) => {
        assertGoesOn();
        return await inTransaction(guarded, "caller", work, async (handle, value) => {
          await wire.call("job.complete", [handle, remembered("complete", value)]);
        }).then((value) => {
          isComplete = true;
          return value;
        });
      },
    },
    async end() {
      while (underWay.size > 0) await Promise.allSettled(underWay);
      if (suspension !== null) throw suspension;
    },
  };
}

/** As JSON keeps it, at the first run too: what would be something else after a crash is it at once. Nothing is `null`. */
const remembered = (name: string, value: unknown): Json =>
  value === undefined ? null : asJson(value, `What the step "${name}" gives`);
