import { setTimeout as delay } from "node:timers/promises";
import type { Lsn } from "../../../kernel/change.ts";
import type { Values } from "../../../kernel/settings.ts";
import type { Observe } from "../../observe/observation.ts";
import type { Database } from "../../postgres/database.ts";
import type { ConnectReplication, ReplicationConnection } from "../../postgres/replication.ts";
import type { changesSettings } from "../settings.ts";
import type { OpenMessage } from "../transactions.ts";
import type { Placed } from "./cursor.ts";
import { Reading } from "./reading.ts";
import type { Worker } from "./worker.ts";

export interface FeedNeeds {
  readonly database: Database;
  readonly connect: ConnectReplication;
  readonly settings: Values<typeof changesSettings>;
  readonly observe: Observe;
  readonly openMessage: OpenMessage;
  readonly workers: readonly Worker[];
  /** The connection that holds the lock, all workers being where their cursors are; `null`: another node has it now. */
  readonly begin: () => Promise<{ readonly connection: ReplicationConnection; readonly from: Lsn } | null>;
}

/** Longest nap of whoever waits for room, or for something to be over, in ms. */
const napMs = 200;
/** A cursor that has nothing to take in is moved when it is so far behind: less is not worth a write. */
const idleStepBytes = 1024n * 1024n;
/** One that is no further behind than that has nearly caught up, and is waited for once in so many ms. */
const nearBytes = 1024n * 1024n;
const holdEveryMs = 2_000;

/**
 * Gives all workers what they have not been given: those that keep up from one reading of the log, and those that do not from one each,
 * so that nobody waits for them. Ends with the connection that holds the lock.
 */
export class Feed {
  readonly #needs: FeedNeeds;
  readonly #lead: Reading;
  /** Those that are fed from the common reading, and for how long each may still hold up the others, in ms. */
  readonly #together = new Map<Worker, number>();
  /** Readings of those that have fallen behind. */
  readonly #apart = new Map<Worker, Reading>();
  readonly #timer: NodeJS.Timeout;
  #isHoldDue = false;
  #heldAtMs = 0;
  #isStopped = false;
  readonly done: Promise<void>;

  constructor(needs: FeedNeeds) {
    this.#needs = needs;
    this.#lead = new Reading({
      ...needs,
      begin: () => this.#begin(),
      onPlaced: (placed) => this.#give(placed),
      onMissing: (to, gap) => {
        for (const worker of this.#together.keys()) worker.fall(gap ?? "retention", to);
      },
    });
    this.#timer = setInterval(() => this.#arrange(), napMs).unref();
    this.done = this.#lead.done.then(() => this.#end());
  }

  /** Leaves the lock to others. `done` resolves when nothing is under way any more. */
  stop(): void {
    this.#isStopped = true;
    this.#lead.stop();
  }

  async checkSources(): Promise<void> {
    for (const reading of [this.#lead, ...this.#apart.values()]) await reading.checkSources();
  }

  /** @param current where the log ends */
  look(current: Lsn): void {
    const { settings, workers } = this.#needs;
    for (const worker of workers) {
      const { cursor } = worker;
      if (cursor === null) continue;
      const isTogether = this.#together.has(worker);
      if (isTogether && worker.isDone && this.#lead.isBetween && this.#lead.position - cursor.lsn > idleStepBytes) {
        worker.skip(this.#lead.position);
        continue;
      }
      // PostgreSQL must not keep for ever what is not taken in (threat R14). Whoever takes it in, if slowly, is let do so.
      if (!worker.isStuck || current - cursor.lsn <= BigInt(settings.logRetainedBytes)) continue;
      this.#together.delete(worker);
      this.#apart.get(worker)?.stop();
      worker.fall("retention", current);
    }
  }

  async #begin(): Promise<{ readonly connection: ReplicationConnection; readonly from: Lsn }> {
    await this.#endApart();
    this.#together.clear();
    const begun = await this.#needs.begin();
    if (begun === null) {
      this.stop();
      throw new Error("Another node reads.");
    }
    // Without the lock nothing more is to be done, however long it takes until the stream notices.
    void begun.connection.lost.then(() => {
      for (const worker of this.#needs.workers) void worker.end();
    });
    for (const worker of this.#needs.workers) this.#together.set(worker, this.#needs.settings.logPatienceMs);
    return begun;
  }

  #give(placed: Placed): void | Promise<void> {
    if (this.#isHoldDue && isBeginning(placed)) return this.#hold().then(() => this.#giveNow(placed));
    return this.#giveNow(placed);
  }

  #giveNow(placed: Placed): void | Promise<void> {
    let isFull = false;
    for (const [worker] of this.#together) {
      worker.offer(placed);
      if (worker.isDone) this.#together.set(worker, this.#needs.settings.logPatienceMs);
      if (!worker.hasRoom) isFull = true;
    }
    if (isFull) return this.#makeRoom();
  }

  /** Waits for those that have no room, and then goes on without them; the last one is waited for as long as it takes. */
  async #makeRoom(): Promise<void> {
    while (!this.#isStopped && !this.#lead.isCut) {
      const full = [...this.#together].filter(([worker]) => !worker.hasRoom);
      if (full.length === 0) return;
      for (const [worker, patienceMs] of full) {
        if (this.#together.size > 1 && (patienceMs <= 0 || worker.isFailing)) this.#together.delete(worker);
      }
      const waited = full.filter(([worker]) => this.#together.has(worker));
      if (waited.length === 0) continue;
      const sinceMs = performance.now();
      await Promise.race(waited.map(([worker]) => worker.progress(napMs)));
      const waitedMs = performance.now() - sinceMs;
      for (const [worker, patienceMs] of waited) {
        if (this.#together.has(worker)) this.#together.set(worker, patienceMs - waitedMs);
      }
    }
  }

  /**
   * Waits a moment for those that have nearly caught up: where there is always more, both are never at the same place by themselves.
   * Nothing of the transaction at hand has been passed on.
   */
  async #hold(): Promise<void> {
    this.#isHoldDue = false;
    this.#heldAtMs = performance.now();
    const isOver = () => this.#isStopped || this.#lead.isCut || performance.now() - this.#heldAtMs > napMs;
    while (!isOver() && [...this.#apart.keys()].some((worker) => this.#isNear(worker))) {
      for (const worker of this.#apart.keys()) this.#rejoin(worker, true);
      await delay(2);
    }
  }

  #isNear(worker: Worker): boolean {
    const reading = this.#apart.get(worker);
    return reading !== undefined && !reading.isCut && this.#lead.position - reading.position < nearBytes;
  }

  /** Lets those that have fallen behind read for themselves, and brings back those that have caught up. */
  #arrange(): void {
    if (this.#isStopped || this.#lead.isCut) return;
    for (const worker of this.#needs.workers) {
      if (this.#together.has(worker) || worker.cursor === null) continue;
      const reading = this.#apart.get(worker);
      if (reading !== undefined) this.#rejoin(worker, this.#lead.isBetween);
      else if (worker.isDone && !worker.isFailing) {
        if (worker.head.lsn >= this.#lead.position && this.#lead.isBetween) this.#join(worker);
        else if (this.#apart.size < this.#needs.settings.logReaderStreams) this.#readApart(worker);
      }
    }
    const isNear = [...this.#apart.keys()].some((worker) => this.#isNear(worker));
    this.#isHoldDue = isNear && performance.now() - this.#heldAtMs > holdEveryMs;
  }

  /** Once everything that the common reading has passed on was given to this worker as well. */
  #rejoin(worker: Worker, isLeadBetween: boolean): void {
    const reading = this.#apart.get(worker);
    if (reading === undefined || !reading.isBetween || !isLeadBetween) return;
    if (reading.position < this.#lead.position) return;
    this.#apart.delete(worker);
    reading.stop();
    this.#join(worker);
  }

  #join(worker: Worker): void {
    this.#together.set(worker, this.#needs.settings.logPatienceMs);
  }

  #readApart(worker: Worker): void {
    const { connect } = this.#needs;
    const reading: Reading = new Reading({
      ...this.#needs,
      begin: async () => ({ connection: await connect(), from: worker.head.lsn }),
      onPlaced: async (placed) => {
        if (this.#together.has(worker)) return;
        worker.offer(placed);
        while (!worker.hasRoom && !reading.isCut) await worker.progress(napMs);
      },
      onMissing: (to, gap) => worker.fall(gap ?? "retention", to),
    });
    this.#apart.set(worker, reading);
    void reading.done.then(() => {
      if (this.#apart.get(worker) === reading) this.#apart.delete(worker);
    });
  }

  async #endApart(): Promise<void> {
    const readings = [...this.#apart.values()];
    for (const reading of readings) reading.stop();
    await Promise.all(readings.map(({ done }) => done));
    this.#apart.clear();
  }

  async #end(): Promise<void> {
    clearInterval(this.#timer);
    this.#isStopped = true;
    await Promise.all([this.#endApart(), ...this.#needs.workers.map((worker) => worker.end())]);
  }
}

const isBeginning = ({ entry, messagesBefore }: Placed): boolean =>
  messagesBefore === 0 && (entry.kind === "message" || entry.first === 0);
