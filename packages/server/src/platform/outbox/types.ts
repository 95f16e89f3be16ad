import type { Queryable } from "../postgres/database.ts";

/** One attempt to deliver. */
export interface Delivery {
  /** The message's, the same in every attempt: what makes a second copy recognisable as one. */
  readonly id: string;
  /** 1 for the first. */
  readonly attempt: number;
  /** Aborted when the attempt takes too long or the server stops. */
  readonly signal: AbortSignal;
}

/** One way out. */
export interface Channel<Message> {
  readonly name: string;
  /**
   * Hands the message over. It may have been handed over before: a node can die between that and writing it down.
   * @throws DeliveryError to say what a failure means; anything else is tried again
   */
  deliver(message: Message, delivery: Delivery): Promise<void>;
  /** Nobody will get this message. `null` when it could not even be read. */
  onGivenUp?(message: Message | null, delivery: Pick<Delivery, "id" | "attempt">, reason: string): Promise<void>;
}

/** Messages to the outside, kept until they are delivered. */
export interface Outbox {
  /**
   * Keeps a message in `tx`: it leaves once that is committed, at least once, in no particular order.
   * @param message any JSON; encrypted at rest
   * @returns its id
   */
  put(
    tx: Queryable,
    channel: string,
    message: unknown,
    options?: {
      /** Delivery is given up after that; the setting's age when left out, and never later than it. */
      readonly lifetimeSeconds?: number;
    },
  ): Promise<string>;
  /** The same work as `put` for the database and for us, and nobody gets anything (threat A16). */
  decoy(tx: Queryable, channel: string): Promise<void>;
  /** Adds a way out. Before `start`; messages of other channels wait for a node that has theirs. */
  serve<Message>(channel: Channel<Message>): void;
  /** Begins to deliver. */
  start(): Promise<void>;
  /** Takes nothing more, waits for what is being delivered until the signal, and leaves the rest to others. */
  stop(signal?: AbortSignal): Promise<void>;
}
