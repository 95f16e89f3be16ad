import type { Lsn } from "../../../kernel/change.ts";
import type { Candidate } from "./take-up.ts";

/** A lost channel, until it comes back or its time is over. */
export interface Departure extends Candidate {
  readonly key: string;
  readonly leftAtMs: number;
}

/** The lost channels of this node, oldest first. Bounded: beyond `limit` the oldest are forgotten, which the database still knows. */
export class Departures {
  readonly #limit: number;
  readonly #byId = new Map<string, Departure>();
  readonly #byKey = new Map<string, Set<Departure>>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#byId.size;
  }

  add(departure: Departure): void {
    this.#byId.set(departure.id, departure);
    const sameKey = this.#byKey.get(departure.key);
    if (sameKey === undefined) this.#byKey.set(departure.key, new Set([departure]));
    else sameKey.add(departure);
    if (this.#byId.size > this.#limit) this.remove(this.#byId.keys().next().value!);
  }

  of(key: string): readonly Departure[] {
    return [...(this.#byKey.get(key) ?? [])];
  }

  remove(id: string): void {
    const departure = this.#byId.get(id);
    if (departure === undefined) return;
    this.#byId.delete(id);
    const sameKey = this.#byKey.get(departure.key);
    sameKey?.delete(departure);
    if (sameKey?.size === 0) this.#byKey.delete(departure.key);
  }

  /** @returns it, as it is now; `null` when it is not here */
  lower(id: string, cursor: Lsn): Departure | null {
    const departure = this.#byId.get(id);
    if (departure === undefined) return null;
    const lowered = { ...departure, cursor };
    this.#byId.set(id, lowered);
    const sameKey = this.#byKey.get(departure.key)!;
    sameKey.delete(departure);
    sameKey.add(lowered);
    return lowered;
  }

  forgetBefore(leftAtMs: number): void {
    for (const departure of this.#byId.values()) {
      if (departure.leftAtMs >= leftAtMs) return;
      this.remove(departure.id);
    }
  }
}
