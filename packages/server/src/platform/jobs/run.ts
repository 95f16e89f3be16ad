import type { Queryable } from "../postgres/database.ts";
import { resultOf } from "./check.ts";
import type { AnyHandler, Ending, Endings } from "./endings.ts";
import { leavesNothing } from "./endings.ts";
import { jobsProblems } from "./problems.ts";
import { type AbortReason, RunAborted } from "./run-aborted.ts";
import { jobsStore } from "./store.ts";
import type { ClaimedJob, JobHandler, JobOutcome, JobRun, Json } from "./types.ts";

export interface RunNeeds {
  readonly handler: AnyHandler;
  /** One, or those of a batch. */
  readonly jobs: readonly ClaimedJob[];
  /** Under which the jobs are claimed. */
  readonly node: number;
  readonly db: Pick<Queryable, "query">;
  readonly endings: Endings;
  readonly graceMs: number;
  readonly resultMaxBytes: number;
  /** Called once, when the place is free. `null`: nothing is to be settled of this job. */
  readonly onEnd: (run: Run, endings: readonly (Ending | null)[]) => void;
}

/** Progress is written at most so often, in ms. */
const progressMs = 500;

/** A handler at work on one job, or on a batch of them. */
export class Run {
  readonly jobs: readonly ClaimedJob[];
  readonly #needs: RunNeeds;
  /** Made when somebody asks: most runs end without. */
  #controller: AbortController | null = null;
  #reason: AbortReason | null = null;
  /** Of a batch: those that were cancelled. */
  readonly #cancelled = new Set<string>();
  #timeout: NodeJS.Timeout | null = null;
  #grace: NodeJS.Timeout | null = null;
  #hasEnded = false;
  #hasTold = false;
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor(needs: RunNeeds) {
    this.#needs = needs;
    this.jobs = needs.jobs;
  }

  /** Begins. What the handler does before it waits is done when this returns. */
  start(): void {
    const { handler } = this.#needs;
    if (handler.timeoutMs !== undefined) {
      this.#timeout = setTimeout(() => this.abort("timeout"), handler.timeoutMs);
      this.#timeout.unref();
    }
    if ("runBatch" in handler) {
      handler.runBatch(this.jobs, this.#signal()).then(
        (failures) => this.#end(this.jobs.map((job, at) => this.#ofBatch(job, failures.has(at), failures.get(at)))),
        (error: unknown) => this.#end(this.jobs.map((job) => this.#failed(job, error))),
      );
      return;
    }
    const [job] = this.jobs as readonly [ClaimedJob];
    let running: Promise<JobOutcome>;
    try {
      running = handler.run(job, this.#handle(handler, job));
    } catch (error) {
      // A handler that is no async function: it throws where others reject.
      running = Promise.reject(error);
    }
    running.then(
      (outcome) => this.#end([this.#ended(job, outcome)]),
      (error: unknown) => this.#end([this.#failed(job, error)]),
    );
  }

  /** Tells the handler, and frees the place after a while even if it goes on. */
  abort(reason: AbortReason): void {
    if (this.#hasEnded || this.#reason !== null) return;
    this.#reason = reason;
    this.#controller?.abort(new RunAborted(reason));
    this.#grace = setTimeout(() => this.giveUp(), this.#needs.graceMs);
    this.#grace.unref();
  }

  /** One of the jobs was cancelled. The rest of a batch goes on. */
  cancel(id: string): void {
    this.#cancelled.add(id);
    if (this.#cancelled.size === this.jobs.length) this.abort("cancelled");
  }

  /** Ends without waiting for the handler. */
  giveUp(): void {
    const error = new RunAborted(this.#reason ?? "stopping");
    this.#end(this.jobs.map((job) => this.#failed(job, error)));
  }

  #signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#reason !== null) this.#controller.abort(new RunAborted(this.#reason));
    }
    return this.#controller.signal;
  }

  #handle(handler: JobHandler, job: ClaimedJob): JobRun {
    const { db, node, resultMaxBytes } = this.#needs;
    const signal = () => this.#signal();
    return {
      get signal() {
        return signal();
      },
      progress: async (part) => {
        if (!Number.isFinite(part)) throw jobsProblems.invalid("Progress is a number from 0 to 1.");
        const nowMs = performance.now();
        if (nowMs - this.#toldAtMs < progressMs && part < 1) return;
        this.#toldAtMs = nowMs;
        this.#hasTold = true;
        const isOurs = await jobsStore.progress(db, node, job.id, job.claim, Math.min(1, Math.max(0, part)));
        if (!isOurs) throw jobsProblems.claimLost();
      },
      settle: async (tx, result?: Json) => {
        const kept = resultOf(result, { jobsPayloadMaxBytes: resultMaxBytes });
        const keeps = !leavesNothing(handler, job, kept, this.#hasTold);
        if (!(await jobsStore.settle(tx, node, job, kept, keeps))) throw jobsProblems.claimLost();
      },
      hold: async (tx) => {
        if (!(await jobsStore.hold(tx, node, job.id, job.claim))) throw jobsProblems.claimLost();
      },
    };
  }

  #ended(job: ClaimedJob, outcome: JobOutcome): Ending | null {
    if (this.#isOver(job)) return null;
    return this.#needs.endings.ended(this.#needs.handler, job, outcome, this.#hasTold);
  }

  #ofBatch(job: ClaimedJob, hasFailed: boolean, error: unknown): Ending | null {
    return hasFailed ? this.#failed(job, error) : this.#ended(job, { kind: "done" });
  }

  #failed(job: ClaimedJob, error: unknown): Ending | null {
    const { endings, handler } = this.#needs;
    if (this.#isOver(job)) return null;
    if (this.#reason === "stopping") return endings.givenBack(job);
    return endings.failed(handler, job, this.#reason === "timeout" ? new RunAborted("timeout") : error);
  }

  /** Whatever came of it: the job is not this run's any more. */
  #isOver({ id }: ClaimedJob): boolean {
    return this.#reason === "lost" || this.#reason === "cancelled" || this.#cancelled.has(id);
  }

  #end(endings: readonly (Ending | null)[]): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (this.#timeout !== null) clearTimeout(this.#timeout);
    if (this.#grace !== null) clearTimeout(this.#grace);
    this.#needs.onEnd(this, endings);
  }
}
