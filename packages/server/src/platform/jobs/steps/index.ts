import type { Values } from "../../../kernel/settings.ts";
import type { Database, Queryable } from "../../postgres/database.ts";
import type { jobsSettings } from "../settings.ts";
import type { ClaimedJob, JobOutcome, JobRun, Json } from "../types.ts";
import { stepProblems } from "./problems.ts";
import { type StepRow, stepsStore, type Until } from "./store.ts";

export { createEventDelivery, type EventDelivery } from "./delivery.ts";
export type { Until } from "./store.ts";

export interface StepsNeeds {
  readonly db: Pick<Database, "query" | "transaction">;
  readonly settings: Pick<Values<typeof jobsSettings>, "jobsStepMaxBytes" | "jobsStepsMax">;
}

export interface FoundStep {
  readonly isDone: boolean;
  /** What it gave; `null` while it is not done. */
  readonly value: Json;
}

/** Either it is over, or the run is to end with this outcome, and the job comes back. */
export type Pause<Outcome> =
  | { readonly isDone: true; readonly value: Json }
  | { readonly isDone: false; readonly outcome: Outcome };

type Sleeping = Extract<JobOutcome, { readonly kind: "sleeping" }>;
type Waiting = Extract<JobOutcome, { readonly kind: "waiting" }>;

/** What a workflow remembers. Everything that writes holds the run's claim: a node that has lost it writes nothing, and hears it as an error. */
export interface Steps {
  find(jobId: string, name: string): Promise<FoundStep>;
  /**
   * Remembers in `tx` that the step is done, and what it gave. From here on the job has all its attempts again.
   * @throws Problem `jobs/step-taken`, `jobs/step-too-large`, `jobs/too-many-steps`, `jobs/bad-step-name`; what `run.hold` throws
   */
  keep(tx: Queryable, job: Pick<ClaimedJob, "id">, run: Pick<JobRun, "hold">, name: string, value: Json): Promise<void>;
  /** As `keep`, in a transaction of its own. */
  keepAlone(job: Pick<ClaimedJob, "id">, run: Pick<JobRun, "hold">, name: string, value: Json): Promise<void>;
  /** Sleeps until a time that is settled when it is asked for first, by PostgreSQL's clock. */
  sleep(job: Pick<ClaimedJob, "id">, run: Pick<JobRun, "hold">, name: string, until: Until): Promise<Pause<Sleeping>>;
  /**
   * Waits for an event with exactly this key (or none), sent since the job was put in, that no other step of the job has had.
   * @param until `null`: for ever. When it has passed, the value is `null`
   */
  awaitEvent(
    job: Pick<ClaimedJob, "id">,
    run: Pick<JobRun, "hold">,
    name: string,
    wanted: { readonly event: string; readonly key: string | null; readonly until: Until | null },
  ): Promise<Pause<Waiting>>;
}

const nameMaxLength = 200;

export function createSteps({ db, settings }: StepsNeeds): Steps {
  const steps: Steps = {
    async find(jobId, name) {
      const row = await stepsStore.find(db, jobId, name);
      return row?.kind === "done" ? { isDone: true, value: row.value } : { isDone: false, value: null };
    },
    async keep(tx, job, run, name, value) {
      checkName(name);
      const json = JSON.stringify(value) ?? "null";
      const { jobsStepMaxBytes } = settings;
      if (Buffer.byteLength(json) > jobsStepMaxBytes) throw stepProblems.tooLarge(name, jobsStepMaxBytes);
      await run.hold(tx);
      await checkRoom(tx, job.id);
      if (!(await stepsStore.keep(tx, job.id, name, json))) throw stepProblems.nameTaken(name);
      await stepsStore.forgive(tx, job.id);
    },
    keepAlone: (job, run, name, value) => db.transaction((tx) => steps.keep(tx, job, run, name, value)),
    async sleep(job, run, name, until) {
      const row =
        (await stepsStore.find(db, job.id, name)) ??
        (await held(job, run, name, async (tx) => {
          await stepsStore.begin(tx, job.id, name, "sleep", until);
          return (await stepsStore.find(tx, job.id, name))!;
        }));
      if (row.kind !== "sleep") throw stepProblems.nameTaken(name);
      if (row.leftMs === null || row.leftMs <= 0) return { isDone: true, value: null };
      return { isDone: false, outcome: { kind: "sleeping", wakeAtMs: wakeAtMs(row.leftMs) } };
    },
    async awaitEvent(job, run, name, { event, key, until }) {
      const known = await stepsStore.find(db, job.id, name);
      if (known?.kind === "done") return { isDone: true, value: known.value };
      return held(job, run, name, async (tx): Promise<Pause<Waiting>> => {
        await stepsStore.begin(tx, job.id, name, "wait", until);
        const found = await stepsStore.takeEvent(tx, job.id, name, event, key);
        if (found !== null) return { isDone: true, value: found.payload };
        const row = (await stepsStore.find(tx, job.id, name))!;
        if (row.kind !== "wait") throw stepProblems.nameTaken(name);
        if (isOver(row)) {
          await stepsStore.keep(tx, job.id, name, "null");
          return { isDone: true, value: null };
        }
        const untilMs = row.leftMs === null ? null : wakeAtMs(row.leftMs);
        return { isDone: false, outcome: { kind: "waiting", step: name, event, key, untilMs } };
      });
    },
  };
  return steps;

  /** Runs `work` while the claim is ours; what is begun is progress. */
  function held<T>(
    job: Pick<ClaimedJob, "id">,
    run: Pick<JobRun, "hold">,
    name: string,
    work: (tx: Queryable) => Promise<T>,
  ): Promise<T> {
    checkName(name);
    return db.transaction(async (tx) => {
      await run.hold(tx);
      await checkRoom(tx, job.id);
      const result = await work(tx);
      await stepsStore.forgive(tx, job.id);
      return result;
    });
  }

  async function checkRoom(tx: Queryable, jobId: string): Promise<void> {
    const { jobsStepsMax } = settings;
    if ((await stepsStore.count(tx, jobId)) >= jobsStepsMax) throw stepProblems.tooMany(jobsStepsMax);
  }
}

const isOver = (row: StepRow): boolean => row.leftMs !== null && row.leftMs <= 0;

/** What is left by PostgreSQL's clock, on this node's: whoever turns it into a wait again gets the same. */
const wakeAtMs = (leftMs: number): number => Date.now() + Math.ceil(leftMs);

function checkName(name: string): void {
  if (name === "" || name.length > nameMaxLength) throw stepProblems.badName(name);
}
