import type { Batch } from "../../../kernel/change.ts";
import type { Policies } from "../../../platform/policies/types.ts";
import type { Channel } from "../types.ts";
import { deliver } from "./deliver.ts";
import { type JudgeNeeds, judge } from "./judge.ts";
import { Pipeline } from "./pipeline.ts";
import { Subscriptions } from "./subscriptions.ts";

export interface LaneNeeds {
  readonly policies: Policies;
  readonly judging: JudgeNeeds;
  readonly recordBytes: number;
  /** Batches that may be on their way together. */
  readonly window: number;
  /** What is done with more of them: who gives them waits, or they are lost to this lane. */
  readonly beyond: "waits" | "loses";
  /** A batch could not be judged, or there were too many: these channels may have missed changes. */
  readonly onLost: (channels: ReadonlySet<Channel>, error: unknown) => void;
}

/** Channels whose changes are judged and delivered together, in order. What is asked for one lane holds up no other. */
export class Lane {
  readonly pipeline: Pipeline;
  readonly #policies: Policies;
  #subscriptions: Subscriptions;

  constructor({ policies, judging, recordBytes, window, beyond, onLost }: LaneNeeds) {
    this.#policies = policies;
    this.#subscriptions = new Subscriptions(policies);
    this.pipeline = new Pipeline({
      window,
      beyond,
      judge: (batch) => judge([batch], this.#subscriptions, judging),
      deliver: (judged, number) =>
        deliver(judged, { number, recordBytes, send: (channel, message) => channel.send(message) }),
      onLost: (batch, error) => {
        const channels = this.#channelsOf(batch);
        if (channels.size > 0) onLost(channels, error);
      },
    });
  }

  get subscriptions(): Subscriptions {
    return this.#subscriptions;
  }

  /** Begins anew, with nobody. @returns what was before */
  renew(): Subscriptions {
    const before = this.#subscriptions;
    this.#subscriptions = new Subscriptions(this.#policies);
    return before;
  }

  /** Takes a channel out: from the next batch on it gets nothing here. */
  remove(channel: Channel): void {
    const remove = this.#subscriptions.remove(channel, this.pipeline.number + 1);
    if (this.pipeline.delivered === null) remove();
    else void this.pipeline.drained().then(remove);
  }

  #channelsOf(batch: Batch): ReadonlySet<Channel> {
    const channels = new Set<Channel>();
    for (const relation of new Set(batch.changes.map((change) => change.relation))) {
      for (const channel of this.#subscriptions.indexOf(relation)?.channels() ?? []) channels.add(channel);
    }
    return channels;
  }
}
