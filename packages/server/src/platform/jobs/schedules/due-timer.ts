import { Problem } from "../../../kernel/problem.ts";
import type { Observe } from "../../observe/observation.ts";

export interface DueTimerNeeds {
  /** Does what is due. @returns in how many ms more is due, by PostgreSQL's clock; `null` when nothing is, until somebody wakes us */
  readonly look: () => Promise<number | null>;
  /** Longest wait, in ms: clocks differ, and PostgreSQL's may be set. */
  readonly lookMs: number;
  readonly observe: Observe;
  /** What it is about, in warnings. */
  readonly area: string;
}

/** Wait in ms when what is due is another node's, or a look has failed. */
const retryMs = 250;

/** Looks when something is due and when told, one look at a time. Costs nothing while there is nothing. */
export class DueTimer {
  readonly #needs: DueTimerNeeds;
  #timer: NodeJS.Timeout | null = null;
  #underWay: Promise<void> | null = null;
  #isWoken = false;
  #isStopped = true;
  /** What was said last of failing: the same is not said again until a look has succeeded. */
  #told: string | null = null;

  constructor(needs: DueTimerNeeds) {
    this.#needs = needs;
  }

  start(): void {
    this.#isStopped = false;
    this.wake();
  }

  /** Something may be due. */
  wake(): void {
    if (this.#isStopped) return;
    this.#isWoken = true;
    this.#underWay ??= this.#run().finally(() => {
      this.#underWay = null;
    });
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#underWay;
  }

  async #run(): Promise<void> {
    let waitMs: number | null = null;
    while (this.#isWoken && !this.#isStopped) {
      this.#isWoken = false;
      waitMs = await this.#look();
    }
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (waitMs === null || this.#isStopped) return;
    this.#timer = setTimeout(() => this.wake(), waitMs);
    this.#timer.unref();
  }

  async #look(): Promise<number | null> {
    try {
      const dueInMs = await this.#needs.look();
      this.#told = null;
      if (dueInMs === null) return null;
      return dueInMs <= 0 ? retryMs : Math.min(this.#needs.lookMs, Math.ceil(dueInMs));
    } catch (error) {
      this.#tell(error);
      return retryMs * 4;
    }
  }

  #tell(error: unknown): void {
    // That PostgreSQL is away others tell.
    if (error instanceof Problem && error.status === 503) return;
    const message = error instanceof Error ? error.message : String(error);
    if (this.#told === message) return;
    this.#told = message;
    this.#needs.observe({ kind: "warning", area: this.#needs.area, message });
  }
}
