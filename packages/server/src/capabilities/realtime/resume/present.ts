import { randomUUID } from "node:crypto";
import type { Lsn } from "../../../kernel/change.ts";
import { earlierOf } from "../../../platform/changes/lsn.ts";
import type { Channel } from "../types.ts";
import { keyOf } from "./key.ts";
import { Sightings } from "./sightings.ts";
import type { Candidate } from "./take-up.ts";

/** A channel that is there. */
export interface Present {
  readonly id: string;
  readonly key: string;
  readonly channel: Channel;
  /** What its client has for certain, until a socket's word that was asked for after `sinceMs` says more. */
  base: Lsn;
  sinceMs: number;
  /** The `lastRef` its socket had when its client, it seems, came back over another one; `null`: that has not happened. */
  replacedAtRef: number | null;
}

/** The channels of this node, and how far the client of each has come. */
export class PresentChannels {
  readonly #position: () => Lsn;
  readonly #sightings: Sightings;
  readonly #all = new Map<Channel, Present>();
  readonly #byKey = new Map<string, Set<Present>>();

  /** @param position everything before it has been put on channels; 0 when that is unknown */
  constructor(position: () => Lsn) {
    this.#position = position;
    this.#sightings = new Sightings(position);
  }

  get size(): number {
    return this.#all.size;
  }

  enter(channel: Channel): Present {
    const present: Present = {
      id: randomUUID(),
      key: keyOf(channel),
      channel,
      base: this.#position(),
      sinceMs: Number.POSITIVE_INFINITY,
      replacedAtRef: null,
    };
    this.#all.set(channel, present);
    const sameKey = this.#byKey.get(present.key);
    if (sameKey === undefined) this.#byKey.set(present.key, new Set([present]));
    else sameKey.add(present);
    this.#sightings.enter(channel.socket);
    return present;
  }

  /** @returns what it was, and how far its client had come; `null` when it never was */
  leave(channel: Channel): { readonly present: Present; readonly arrived: Lsn } | null {
    const present = this.#all.get(channel);
    if (present === undefined) return null;
    const arrived = this.arrivedAt(present);
    this.#all.delete(channel);
    const sameKey = this.#byKey.get(present.key);
    sameKey?.delete(present);
    if (sameKey?.size === 0) this.#byKey.delete(present.key);
    this.#sightings.leave(channel.socket);
    return { present, arrived };
  }

  /** Asks all clients how far they are. */
  ask(): void {
    this.#sightings.ask();
  }

  arrivedAt({ base, sinceMs, channel }: Present): Lsn {
    return this.#sightings.arrived(channel.socket, sinceMs) ?? base;
  }

  /** What all clients have; `null` when there are none, or nothing is known. */
  leastArrived(): Lsn | null {
    let least: Lsn | null = null;
    for (const present of this.#all.values()) {
      const arrived = this.arrivedAt(present);
      if (arrived > 0n) least = earlierOf(least ?? arrived, arrived);
    }
    return least;
  }

  /** Others under the same key, over other sockets, whose loss nobody has noticed, if they are lost. */
  livingBeside({ key, channel }: Present): readonly Candidate[] {
    const living: Candidate[] = [];
    for (const other of this.#byKey.get(key) ?? []) {
      const { socket } = other.channel;
      const cursor = this.arrivedAt(other);
      if (socket === channel.socket || other.replacedAtRef === socket.lastRef || cursor === 0n) continue;
      living.push({ id: other.id, lastRef: socket.lastRef, cursor, socketId: socket.id, kind: "live" });
    }
    return living;
  }

  /** When these are noticed as lost, they have come back already: they will not be what the next one comes back for. */
  replace(key: string, candidates: readonly Candidate[]): void {
    for (const other of this.#byKey.get(key) ?? []) {
      const wasFound = candidates.some(({ id, kind }) => id === other.id && kind === "live");
      if (wasFound) other.replacedAtRef = other.channel.socket.lastRef;
    }
  }
}
