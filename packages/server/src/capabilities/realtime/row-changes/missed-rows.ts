import type { Batch } from "../../../kernel/change.ts";
import type { Policies } from "../../../platform/policies/types.ts";
import type { Channel } from "../types.ts";
import { deliver } from "./deliver.ts";
import { type Judged, type JudgeNeeds, judge, type Part } from "./judge.ts";
import type { ResolvedBinding } from "./resolve.ts";
import { Subscriptions } from "./subscriptions.ts";

/** What one channel has missed: judged as if it alone had been there, by the rights it has now (threat R08). */
export class MissedRows {
  readonly #alone: Subscriptions;
  readonly #needs: JudgeNeeds;
  #batches: ReadonlySet<Part> = new Set();
  #judged: ReadonlyMap<Part, readonly Judged[]> = new Map();

  constructor(channel: Channel, resolved: readonly ResolvedBinding[], policies: Policies, needs: JudgeNeeds) {
    this.#needs = needs;
    this.#alone = new Subscriptions(policies);
    this.#alone.add(channel, resolved, 0);
  }

  /** Judges all of them together, so that what must be asked of PostgreSQL is asked once. */
  async judge(batches: readonly Batch[]): Promise<void> {
    const judged = await judge(batches, this.#alone, this.#needs);
    this.#batches = new Set(batches);
    this.#judged = Map.groupBy(judged, ({ part }) => part);
  }

  /** Sends what the channel gets of batches, judging first what is not yet. */
  async send(batches: readonly Batch[], recordBytes: number): Promise<void> {
    if (!batches.every((batch) => this.#batches.has(batch))) await this.judge(batches);
    for (const batch of batches) {
      deliver(this.#judged.get(batch) ?? [], {
        number: 0,
        recordBytes,
        send: (to, message) => to.sendNow(message),
      });
    }
  }
}
