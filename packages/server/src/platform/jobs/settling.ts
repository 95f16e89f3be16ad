import { reasonOf } from "../../kernel/reason.ts";
import type { Observe } from "../observe/observation.ts";
import { type EndedClaim, stateNumbers, type TurnResult } from "./store.ts";

type Claim = Pick<EndedClaim, "id" | "claim">;

/** What one turn settles. */
export interface Batch {
  readonly done: readonly Claim[];
  readonly ended: readonly EndedClaim[];
  /** How many of `ended` are expected to be settled already. */
  readonly expected: number;
}

/** Claims that one turn settles, at most: JSON and arrays of so many are some hundred kB. */
const batchMax = 2_000;
/** What a transaction holds is tried again after so long, in ms. */
const heldMs = 500;
/** SQLSTATE lock_not_available, and the class of data exceptions. */
const [lockTimeout, dataException] = ["55P03", "22"];

/** Ended claims until they are written down. */
export class Settling {
  readonly none: Batch = { done: [], ended: [], expected: 0 };
  readonly #observe: Observe;
  readonly #onReady: () => void;
  #done: Claim[] = [];
  #ended: EndedClaim[] = [];
  readonly #probably = new Set<string>();
  /** Taken, and not answered. */
  #underWay: Batch = this.none;
  /** Not before their time. */
  readonly #held = new Set<EndedClaim>();
  /** Turns that settle one thing only: among what was refused is one that always will be. */
  #carefully = 0;
  #wasAsked = false;

  /** @param onReady there is something to settle again */
  constructor(observe: Observe, onReady: () => void) {
    this.#observe = observe;
    this.#onReady = onReady;
  }

  get isEmpty(): boolean {
    return this.#done.length === 0 && this.#ended.length === 0;
  }

  /** Whether something waits for its time. */
  get isHolding(): boolean {
    return this.#held.size > 0;
  }

  /** Whether there are claims that have ended and are not settled, also such as wait for their time. */
  get hasClaims(): boolean {
    return !this.isEmpty || this.#held.size > 0 || this.#underWay !== this.none;
  }

  done(claim: Claim): void {
    this.#done.push(claim);
  }

  ended(claim: EndedClaim): void {
    this.#ended.push(claim);
  }

  /** It was settled elsewhere, or so it is said. */
  probablySettled(claim: EndedClaim): void {
    this.#probably.add(claim.id);
    this.#ended.push(claim);
  }

  *ids(): Generator<string> {
    for (const { id } of this.#done) yield id;
    for (const { id } of this.#ended) yield id;
    for (const { id } of this.#held) yield id;
    for (const { id } of this.#underWay.done) yield id;
    for (const { id } of this.#underWay.ended) yield id;
  }

  take(): Batch {
    const isCareful = this.#carefully > 0;
    if (isCareful) this.#carefully -= 1;
    const done = this.#done.splice(0, isCareful ? 0 : batchMax);
    const ended = this.#ended.splice(0, isCareful ? 1 : batchMax);
    const expected = ended.filter(({ id }) => this.#probably.has(id)).length;
    this.#underWay = { done, ended, expected };
    return this.#underWay;
  }

  /** PostgreSQL has it. @returns how many claims had been lost */
  taken(batch: Batch, { lost, held }: TurnResult): number {
    this.#underWay = this.none;
    const again = new Set(held);
    for (const claim of batch.ended) {
      if (again.has(claim.id)) this.#tryLater(claim);
      else this.#probably.delete(claim.id);
    }
    // After an answer that was lost, what is not there any more was settled then.
    const wasAsked = this.#wasAsked;
    this.#wasAsked = false;
    return wasAsked ? 0 : Math.max(0, lost - batch.expected);
  }

  /** PostgreSQL has not taken it, or has not said so. */
  refused(batch: Batch, state: string | null, error: unknown): void {
    this.#underWay = this.none;
    this.#wasAsked ||= state === null || state.startsWith("08") || state.startsWith("57P");
    if (state === lockTimeout) {
      // Some transaction holds one of them. As such they are passed over.
      this.#ended.unshift(...batch.ended, ...batch.done.map((claim) => ({ ...claim, state: stateNumbers.done })));
      return;
    }
    if (state?.startsWith(dataException) && batch.ended.length === 1 && batch.done.length === 0) {
      const [claim] = batch.ended as readonly [EndedClaim];
      this.#observe({
        kind: "warning",
        area: "jobs",
        message: `The end of job ${claim.id} cannot be kept: ${reasonOf(error)}`,
      });
      this.#ended.unshift({ id: claim.id, claim: claim.claim, state: stateNumbers.dead, error: reasonOf(error) });
      return;
    }
    if (state?.startsWith(dataException)) this.#carefully = batch.ended.length;
    this.#done.unshift(...batch.done);
    this.#ended.unshift(...batch.ended);
  }

  /** None of it is ours any more. */
  forget(): void {
    this.#done = [];
    this.#ended = [];
    this.#probably.clear();
    this.#held.clear();
  }

  #tryLater(claim: EndedClaim): void {
    this.#held.add(claim);
    const timer = setTimeout(() => {
      if (!this.#held.delete(claim)) return;
      this.#ended.push(claim);
      this.#onReady();
    }, heldMs);
    timer.unref();
  }
}
