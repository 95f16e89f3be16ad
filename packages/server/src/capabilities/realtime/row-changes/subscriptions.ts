import type { ChangedRelation } from "../../../kernel/change.ts";
import { isSameShape, type PublishedTable } from "../../../platform/changes/filters/published.ts";
import type { Policies } from "../../../platform/policies/types.ts";
import type { Channel } from "../types.ts";
import type { ResolvedBinding } from "./resolve.ts";
import { TableIndex } from "./table-index.ts";

interface Subscribed {
  readonly bindings: readonly ResolvedBinding[];
  readonly from: number;
}

/** Which channels wait for changes of which tables. */
export class Subscriptions {
  readonly #policies: Policies;
  readonly #channels = new Map<Channel, Subscribed>();
  readonly #tables = new Map<string, TableIndex>();
  /** The log gives one object for as long as a table keeps its shape. */
  #ofRelation = new WeakMap<ChangedRelation, TableIndex>();

  constructor(policies: Policies) {
    this.#policies = policies;
  }

  get size(): number {
    return this.#channels.size;
  }

  /** @param from number of the first batch that is for the channel */
  add(channel: Channel, bindings: readonly ResolvedBinding[], from: number): void {
    this.#channels.set(channel, { bindings, from });
    for (const [table, own] of byTable(bindings)) this.#index(table).add(channel, own, from);
  }

  /**
   * @param until number of the first batch that is not for it any more
   * @returns what really takes it out: to be called when all that was judged so far has been sent
   */
  remove(channel: Channel, until: number): () => void {
    const subscribed = this.#channels.get(channel);
    if (subscribed === undefined) return () => {};
    this.#channels.delete(channel);
    const removals = [...byTable(subscribed.bindings).keys()].map((table) => {
      const index = this.#tables.get(nameOf(table.relation));
      const remove = index?.remove(channel, until);
      if (index?.isEmpty) this.#forget(index);
      return remove;
    });
    return () => {
      for (const remove of removals) remove?.();
    };
  }

  /** Who waits for changes of this table, judged by images as this relation has them; `null` when nobody does. */
  indexOf(relation: ChangedRelation): TableIndex | null {
    const known = this.#ofRelation.get(relation);
    if (known !== undefined) return known;
    const index = this.#tables.get(nameOf(relation));
    if (index === undefined) return null;
    const fitting = isSameShape(index.relation, relation) ? index : this.#rebuild(index, relation);
    this.#ofRelation.set(relation, fitting);
    return fitting;
  }

  /** Asks the policies anew about everybody. What was judged before keeps what it was judged by. */
  regroup(): void {
    for (const index of [...this.#tables.values()]) this.#rebuild(index, index.relation);
  }

  #rebuild(old: TableIndex, relation: ChangedRelation): TableIndex {
    const index = new TableIndex(old.table, relation, this.#policies);
    const name = nameOf(relation);
    for (const [channel, { bindings, from }] of this.#channels) {
      const own = bindings.filter(({ table }) => nameOf(table.relation) === name);
      if (own.length > 0) index.add(channel, own, from);
    }
    this.#tables.set(name, index);
    this.#ofRelation = new WeakMap();
    return index;
  }

  #index(table: PublishedTable): TableIndex {
    const name = nameOf(table.relation);
    const known = this.#tables.get(name);
    if (known !== undefined) return known;
    const index = new TableIndex(table, table.relation, this.#policies);
    this.#tables.set(name, index);
    return index;
  }

  #forget(index: TableIndex): void {
    this.#tables.delete(nameOf(index.relation));
    this.#ofRelation = new WeakMap();
  }
}

const nameOf = ({ schema, name }: ChangedRelation): string => `${schema}\0${name}`;

function byTable(bindings: readonly ResolvedBinding[]): ReadonlyMap<PublishedTable, readonly ResolvedBinding[]> {
  return Map.groupBy(bindings, ({ table }) => table);
}
