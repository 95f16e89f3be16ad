import { Rest } from "../../kernel/rest.ts";
import type { Values } from "../../kernel/settings.ts";
import type { Observe } from "../observe/observation.ts";
import { Backoff } from "../postgres/backoff.ts";
import { sqlStateOf } from "../postgres/sql-state.ts";
import { type AnyHandler, createEndings, type Ending, type Endings } from "./endings.ts";
import { comesBefore, Line, type Waiting, waitingOf } from "./line.ts";
import { Lines, type Wants } from "./lines.ts";
import { Looks } from "./looks.ts";
import { Member } from "./membership.ts";
import { Run } from "./run.ts";
import type { AbortReason } from "./run-aborted.ts";
import type { jobsSettings } from "./settings.ts";
import { Settling } from "./settling.ts";
import { type JobsDatabase, jobsStore, type TurnResult } from "./store.ts";

export interface RunnerNeeds {
  readonly db: Pick<JobsDatabase, "query" | "background" | "warm">;
  readonly nodeId: string;
  readonly settings: Values<typeof jobsSettings>;
  readonly observe: Observe;
}

/** SQLSTATE of our own: this node is not known any more, or has begun anew. */
const notKnown = "MSJ01";
/** After falling asleep: commits that were under way then are done by now, in ms. */
const secondLookMs = 100;
/** A turn that moves no more jobs than that is over at once, and holds up nobody on a connection that others use. */
const fewJobs = 4;
/** Between attempts while PostgreSQL is away or refuses, in ms. */
const [retryFirstMs, retryMaxMs] = [50, 5_000];

/**
 * Runs the jobs of one node. Everything it says to the database while there is work is one statement, again and again: a turn, which
 * settles what has ended and claims what is next. One is under way at a time, and meanwhile runs end and begin.
 */
export class Runner {
  readonly #needs: RunnerNeeds;
  readonly #endings: Endings;
  readonly #member: Member;
  readonly #settling: Settling;
  readonly #backoff = new Backoff(retryFirstMs, retryMaxMs);
  readonly #lines = new Lines();
  /** Lines whose handler was taken away, and which still run something. */
  readonly #leaving = new Map<Line, () => void>();
  readonly #runs = new Map<string, Run>();
  readonly #looks: Looks;
  #places = 0;
  /** There may be something to claim. */
  #mayHaveJobs = false;
  #isRunning = false;
  #isStopping = false;
  #isTurning = false;
  #loop: Promise<void> = Promise.resolve();
  readonly #rest = new Rest();
  /** When something is due, or to be looked at again, by the monotonic clock. */
  #dueAtMs = Number.POSITIVE_INFINITY;
  #secondLookAtMs = Number.POSITIVE_INFINITY;
  #turnedAtMs = 0;
  /** The last look was not at everything. */
  #hasLeftOut = false;
  /** By the last turn. */
  #claimedLast = 0;
  #onQuiet: (() => void) | null = null;

  constructor(needs: RunnerNeeds) {
    this.#needs = needs;
    this.#endings = createEndings(needs);
    this.#looks = new Looks(needs.settings.jobsPollMs);
    this.#settling = new Settling(needs.observe, () => this.#rest.wake());
    this.#member = new Member({
      db: needs.db,
      nodeId: needs.nodeId,
      leaseMs: needs.settings.jobsLeaseMs,
      hasClaims: () => this.#hasClaims(),
      onLost: (isSure) => this.#lose(isSure),
    });
  }

  /** Runs jobs of this name from now on. @returns how to stop: resolves when what runs has ended */
  add(handler: AnyHandler): () => Promise<void> {
    const { jobsConcurrency, jobsAheadMax } = this.#needs.settings;
    const line = new Line(handler, { concurrency: jobsConcurrency, aheadMax: jobsAheadMax });
    this.#lines.add(line);
    this.news();
    return () => this.#remove(line);
  }

  start(): void {
    this.#isRunning = true;
    this.#member.start();
    this.#loop = this.#run();
  }

  /** There may be something to do. */
  news(): void {
    this.#mayHaveJobs = true;
    this.#rest.wake();
  }

  /** Jobs of this node's have been committed. */
  wasPutIn(jobs: readonly { readonly name: string }[]): void {
    if (jobs.some(({ name }) => this.#lines.get(name) !== undefined)) this.news();
  }

  /** News were missed: also of what was cancelled. */
  missedNews(): void {
    this.news();
    void this.#verify();
  }

  cancelled(id: string): void {
    this.#runs.get(id)?.cancel(id);
    this.#lines.remove(id);
  }

  async stop(signal: AbortSignal): Promise<void> {
    if (!this.#isRunning) return;
    this.#isStopping = true;
    this.#giveBack(this.#lines.giveBack());
    this.#rest.wake();
    await this.#quiet(signal);
    // What runs hears of it, and is given back whatever it does.
    for (const run of new Set(this.#runs.values())) run.abort("stopping");
    await this.#quiet(AbortSignal.timeout(Math.min(200, this.#needs.settings.jobsAbortGraceMs)));
    for (const run of new Set(this.#runs.values())) run.giveUp();
    this.#isRunning = false;
    this.#backoff.cancel();
    this.#rest.wake();
    await this.#loop;
    this.#member.stop();
    // Without PostgreSQL the lease says it, later.
    await this.#member.leave().catch(() => {});
  }

  /** Resolves when nothing runs, or at the signal. */
  #quiet(signal: AbortSignal): Promise<void> {
    if (this.#runs.size === 0 || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        this.#onQuiet = null;
        signal.removeEventListener("abort", done);
        resolve();
      };
      this.#onQuiet = done;
      signal.addEventListener("abort", done, { once: true });
    });
  }

  async #remove(line: Line): Promise<void> {
    if (!this.#lines.delete(line)) return;
    this.#giveBack(line.giveBack());
    this.#rest.wake();
    if (line.running > 0) await new Promise<void>((resolve) => this.#leaving.set(line, resolve));
  }

  #hasClaims(): boolean {
    return this.#runs.size > 0 || this.#settling.hasClaims || this.#lines.length > 0;
  }

  async #run(): Promise<void> {
    while (true) {
      if (!this.#settling.isEmpty) await new Promise(setImmediate);
      if (!this.#isRunning && (this.#settling.isEmpty || this.#backoff.attempts > 2)) return;
      const wants = this.#wants();
      const isWanting = this.#mayHaveJobs && wants.total > 0;
      if (this.#settling.isEmpty && !isWanting) {
        await this.#sleep();
        continue;
      }
      if (await this.#turn(wants)) this.#backoff.reset();
      else if (this.#isRunning || this.#backoff.attempts <= 2) await this.#backoff.wait();
    }
  }

  #wants(): Wants {
    if (this.#isStopping) return { names: [], wants: [], total: 0 };
    const { jobsConcurrency, jobsAheadMax } = this.#needs.settings;
    return this.#lines.wants(Math.max(0, jobsConcurrency - this.#places), jobsAheadMax);
  }

  /** @returns whether PostgreSQL has taken it */
  async #turn({ names, wants, total }: Wants): Promise<boolean> {
    const { db, settings } = this.#needs;
    this.#isTurning = true;
    this.#mayHaveJobs = false;
    const beganAtMs = performance.now();
    let batch = this.#settling.none;
    try {
      const node = await this.#member.ready(() => [...this.#known()]);
      const hasMore = this.#runs.size > 0 || this.#lines.length > 0;
      batch = this.#settling.take();
      const isIdle = !hasMore && this.#settling.isEmpty && !this.#settling.isHolding;
      const seen = this.#looks.from(names, beganAtMs);
      const isShort = batch.done.length + batch.ended.length <= fewJobs && this.#claimedLast <= fewJobs;
      const result = await jobsStore.turn(isShort && this.#backoff.attempts === 0 ? db.warm : db, {
        node,
        doneIds: batch.done.map(({ id }) => id),
        doneClaims: batch.done.map(({ claim }) => claim),
        ended: batch.ended,
        names,
        wants,
        total,
        leaseMs: settings.jobsLeaseMs,
        isIdle,
        seen,
      });
      if (total > 0) this.#looks.looked(seen, result.jobs, result.lookMs, performance.now());
      this.#member.turned(beganAtMs);
      this.#claimedLast = result.jobs.length;
      if (total > 0) this.#hasLeftOut = seen.ats.length > 0;
      const lost = this.#settling.taken(batch, result);
      if (lost > 0) {
        this.#needs.observe({ kind: "job.lost", count: lost });
        void this.#verify();
      }
      this.#claimed(result, total, beganAtMs);
      return true;
    } catch (error) {
      this.#mayHaveJobs = true;
      this.#failed(batch, error);
      return false;
    } finally {
      this.#isTurning = false;
    }
  }

  #failed(batch: Settling["none"], error: unknown): void {
    const state = sqlStateOf(error);
    if (state === notKnown) {
      // Neither has anything happened, nor is there anything left to settle.
      this.#settling.forget();
      return this.#member.gone();
    }
    // Without a SQLSTATE of a refusal nobody knows whether it happened.
    const isDoubtful = state === null || state.startsWith("08") || state.startsWith("57P");
    if (isDoubtful) this.#member.doubt();
    else this.#needs.observe({ kind: "job.turn-failed", error });
    this.#settling.refused(batch, state, error);
  }

  #claimed({ jobs, isFull, fellAsleep, nextDueMs }: TurnResult, total: number, beganAtMs: number): void {
    const nowMs = performance.now();
    this.#lines.measure(nowMs - this.#turnedAtMs);
    this.#turnedAtMs = nowMs;
    const byName = new Map<string, Waiting[]>();
    for (const row of jobs) {
      const line = this.#lines.get(row[1]);
      const maxAttempts = line?.handler.maxAttempts ?? this.#needs.settings.jobsMaxAttempts;
      const waiting = waitingOf(row, maxAttempts, nowMs);
      if (line === undefined || this.#isStopping) this.#giveBack([waiting]);
      else if (waiting.losses > this.#needs.settings.jobsMaxLosses) {
        this.#settle(this.#endings.lostTooOften(waiting.job, waiting.losses));
      } else {
        const same = byName.get(row[1]);
        if (same === undefined) byName.set(row[1], [waiting]);
        else same.push(waiting);
      }
    }
    for (const [name, waiting] of byName) {
      waiting.sort((a, b) => (comesBefore(a, b) ? -1 : 1));
      this.#lines.get(name)!.put(waiting);
    }
    if (total > 0) {
      if (isFull || fellAsleep) this.#mayHaveJobs = true;
      this.#dueAtMs = nextDueMs === null ? Number.POSITIVE_INFINITY : beganAtMs + Math.max(1, nextDueMs);
      if (fellAsleep) this.#secondLookAtMs = nowMs + secondLookMs;
    }
    this.#begin();
  }

  /** Begins what there is room for. */
  #begin(): void {
    while (this.#places < this.#needs.settings.jobsConcurrency) {
      const next = this.#lines.next();
      if (next === null) return;
      this.#start(next);
    }
  }

  #start(line: Line): void {
    const { db, settings } = this.#needs;
    // Who has claims has a number.
    const node = this.#member.number!;
    const jobs = line.take().map(({ job }) => job);
    const run = new Run({
      handler: line.handler,
      jobs,
      node,
      db,
      endings: this.#endings,
      graceMs: settings.jobsAbortGraceMs,
      resultMaxBytes: settings.jobsPayloadMaxBytes,
      onEnd: (ended, endings) => this.#ended(line, ended, endings),
    });
    line.running += 1;
    this.#places += 1;
    for (const { id } of jobs) this.#runs.set(id, run);
    run.start();
  }

  #ended(line: Line, run: Run, endings: readonly (Ending | null)[]): void {
    line.running -= 1;
    this.#places -= 1;
    run.jobs.forEach((job, at) => {
      if (this.#runs.get(job.id) === run) this.#runs.delete(job.id);
      const ending = endings[at];
      if (ending?.kind === "plain") this.#settling.done(job);
      else if (ending != null) this.#settle(ending);
    });
    if (line.running === 0) this.#leaving.get(line)?.();
    if (this.#runs.size === 0) this.#onQuiet?.();
    this.#begin();
    this.#rest.wake();
  }

  #settle(ending: Ending): void {
    if (ending.kind === "kept") this.#settling.ended(ending.claim);
    if (ending.kind === "settled") this.#settling.probablySettled(ending.claim);
  }

  #giveBack(waiting: readonly Waiting[]): void {
    for (const { job } of waiting) this.#settle(this.#endings.givenBack(job));
  }

  *#known(): Generator<string> {
    yield* this.#runs.keys();
    yield* this.#settling.ids();
    yield* this.#lines.ids();
  }

  /** What this node has may be another's. */
  #lose(isSure: boolean): void {
    const runs = new Set(this.#runs.values());
    let count = this.#lines.giveBack().length;
    for (const run of runs) {
      count += run.jobs.length;
      this.#abandon(run, "lost");
    }
    if (isSure) this.#settling.forget();
    if (count > 0) this.#needs.observe({ kind: "job.lost", count });
    this.news();
  }

  /** Its ids are free at once: another run of the same job may begin here before this one has heard. */
  #abandon(run: Run, reason: AbortReason): void {
    for (const { id } of run.jobs) this.#runs.delete(id);
    run.abort(reason);
  }

  /** Asks which runs have lost their jobs. */
  async #verify(): Promise<void> {
    const { number } = this.#member;
    const runs = [...new Set(this.#runs.values())];
    if (number === null || runs.length === 0) return;
    const claims = runs.flatMap(({ jobs }) => jobs.map(({ id, claim }) => ({ id, claim })));
    const lost = await jobsStore.lost(this.#needs.db, number, claims).catch(() => []);
    if (this.#member.number !== number) return;
    for (const run of runs) for (const id of lost) if (run.jobs.some((job) => job.id === id)) run.cancel(id);
  }

  /** Until there is something to do, something is due, or it is time to look. */
  #sleep(): Promise<void> {
    if (this.#lines.size === 0 && !this.#isTurning && this.#runs.size === 0)
      return this.#rest.take(Number.POSITIVE_INFINITY);
    const nowMs = performance.now();
    this.#giveBack(this.#lines.giveBackOld(nowMs));
    const lookAtMs = this.#turnedAtMs + this.#needs.settings.jobsPollMs;
    const dueAtMs = Math.min(
      this.#dueAtMs,
      this.#secondLookAtMs,
      this.#hasLeftOut ? this.#looks.allAtMs : Number.POSITIVE_INFINITY,
    );
    const untilMs = Math.min(dueAtMs, lookAtMs, this.#lines.oldAtMs);
    if (!this.#settling.isEmpty) return Promise.resolve();
    if (untilMs <= nowMs) return this.#look(nowMs, dueAtMs <= nowMs);
    return this.#rest.take(untilMs - nowMs);
  }

  /** Without having been told. */
  async #look(nowMs: number, isDue: boolean): Promise<void> {
    this.#turnedAtMs = nowMs;
    if (this.#dueAtMs <= nowMs) this.#dueAtMs = Number.POSITIVE_INFINITY;
    if (this.#secondLookAtMs <= nowMs) this.#secondLookAtMs = Number.POSITIVE_INFINITY;
    if (this.#looks.allAtMs <= nowMs) this.#hasLeftOut = false;
    if (isDue) {
      this.#mayHaveJobs = true;
      return;
    }
    try {
      const { number } = this.#member;
      const look = await jobsStore.look(this.#needs.db.background, number ?? 0, this.#lines.names);
      if (number !== null && !look.isKnown && this.#member.number === number) this.#member.gone();
      if (look.hasJobs) this.#mayHaveJobs = true;
      if (look.nextDueMs !== null) this.#dueAtMs = performance.now() + Math.max(1, look.nextDueMs);
    } catch {
      // PostgreSQL is away, which others tell: the next look finds what there is.
    }
  }
}
