import { FilterError } from "../../../platform/changes/filters/filter.ts";
import type { Channel } from "../types.ts";
import type { ResolvedBinding } from "./resolve.ts";

export interface AskedFilterLimits {
  readonly perSocket: number;
  readonly total: number;
}

/** Whether PostgreSQL is asked about each change that this binding may want. */
export const isAsked = ({ conditions }: ResolvedBinding): boolean => conditions.some(({ decide }) => decide === null);

/**
 * Counts filters that only PostgreSQL can decide: each costs a statement for every change of its table, and anybody may join with as many as
 * a channel has room for (threat R12). Those that are equal, of callers of one role, are asked once and count once in all.
 */
export class AskedFilters {
  readonly #limits: AskedFilterLimits;
  readonly #ofChannel = new Map<Channel, readonly string[]>();
  readonly #bySocket = new Map<object, number>();
  readonly #channelsOf = new Map<string, number>();

  constructor(limits: AskedFilterLimits) {
    this.#limits = limits;
  }

  /** In place of what the channel had. @throws FilterError beyond a limit, and then it has none */
  take(channel: Channel, bindings: readonly ResolvedBinding[]): void {
    this.release(channel);
    const asked = bindings.flatMap(({ table, conditions }) =>
      conditions.flatMap(({ decide, key }) =>
        decide === null ? [JSON.stringify([table.relation.oid, channel.who.role, key])] : [],
      ),
    );
    if (asked.length === 0) return;
    const filters = [...new Set(asked)];
    const ofSocket = (this.#bySocket.get(channel.socket) ?? 0) + filters.length;
    if (ofSocket > this.#limits.perSocket) {
      throw new FilterError(
        `a connection can have at most ${this.#limits.perSocket} filters that only the database can decide.`,
      );
    }
    const fresh = filters.filter((filter) => !this.#channelsOf.has(filter)).length;
    if (this.#channelsOf.size + fresh > this.#limits.total) {
      throw new FilterError("there are too many filters that only the database can decide on this server.");
    }
    this.#ofChannel.set(channel, filters);
    this.#bySocket.set(channel.socket, ofSocket);
    for (const filter of filters) this.#channelsOf.set(filter, (this.#channelsOf.get(filter) ?? 0) + 1);
  }

  release(channel: Channel): void {
    const filters = this.#ofChannel.get(channel);
    if (filters === undefined) return;
    this.#ofChannel.delete(channel);
    const left = this.#bySocket.get(channel.socket)! - filters.length;
    if (left > 0) this.#bySocket.set(channel.socket, left);
    else this.#bySocket.delete(channel.socket);
    for (const filter of filters) {
      const channels = this.#channelsOf.get(filter)! - 1;
      if (channels > 0) this.#channelsOf.set(filter, channels);
      else this.#channelsOf.delete(filter);
    }
  }
}
