import type { ChangedRelation, RowImage } from "../../../kernel/change.ts";
import type { Principal } from "../../../kernel/principal.ts";
import type { CompiledCondition } from "../../../platform/changes/filters/conditions.ts";
import type { PublishedTable } from "../../../platform/changes/filters/published.ts";
import type { Policies, ViewerGroup } from "../../../platform/policies/types.ts";
import type { Channel } from "../types.ts";
import { type Projection, Projections } from "./projection.ts";
import type { ResolvedBinding } from "./resolve.ts";

export type RowOp = "insert" | "update" | "delete";

/** A channel among those that get what an entry matches. */
export interface Membership {
  readonly ids: readonly number[];
  /** `ids` as JSON. */
  readonly idsJson: string;
  /** Number of the first batch that it is for: what was judged before the channel was there is not sent to it. */
  readonly from: number;
  /** Number of the first batch that it is not for any more: the channel has subscribed anew. */
  until: number;
}

/** Channels that want the same changes, and see the same of them: decided once for all. */
export interface Entry {
  readonly key: string;
  readonly group: ViewerGroup;
  /** One of its callers, for what PostgreSQL is asked about the filter. */
  readonly who: Principal;
  readonly projection: Projection;
  readonly ops: readonly RowOp[];
  readonly conditions: readonly CompiledCondition[];
  /** The condition by which it is found; the others are decided afterwards. */
  readonly found: CompiledCondition | null;
  readonly members: Map<Channel, Membership>;
}

const opsOf = {
  INSERT: ["insert"],
  UPDATE: ["update"],
  DELETE: ["delete"],
  "*": ["insert", "update", "delete"],
} as const;

/** Entries by the values their filters want: looking one up costs the same however many other values are waited for. */
class Bucket {
  /** Those without such a filter. */
  readonly open = new Set<Entry>();
  readonly #byColumn = new Map<string, { keyOf: (text: string) => string; byKey: Map<string, Set<Entry>> }>();

  add(entry: Entry): void {
    if (entry.found === null) {
      this.open.add(entry);
      return;
    }
    const { column, only } = entry.found;
    const { keys, keyOf } = only!;
    const found = this.#byColumn.get(column) ?? { keyOf, byKey: new Map<string, Set<Entry>>() };
    this.#byColumn.set(column, found);
    for (const key of keys) {
      const entries = found.byKey.get(key);
      if (entries === undefined) found.byKey.set(key, new Set([entry]));
      else entries.add(entry);
    }
  }

  remove(entry: Entry): void {
    if (entry.found === null) {
      this.open.delete(entry);
      return;
    }
    const found = this.#byColumn.get(entry.found.column);
    for (const key of entry.found.only!.keys) {
      const entries = found?.byKey.get(key);
      entries?.delete(entry);
      if (entries?.size === 0) found?.byKey.delete(key);
    }
    if (found?.byKey.size === 0) this.#byColumn.delete(entry.found.column);
  }

  /** Those whose found condition holds. What is not in the image of a deleted row cannot rule an entry out. */
  candidates(relation: ChangedRelation, image: RowImage, isOld: boolean): Iterable<Entry> {
    return this.#byColumn.size === 0 ? this.open : this.#found(relation, image, isOld);
  }

  *#found(relation: ChangedRelation, image: RowImage, isOld: boolean): Iterable<Entry> {
    yield* this.open;
    for (const [column, { keyOf, byKey }] of this.#byColumn) {
      const text = image[relation.indexOf(column)];
      if (text === undefined) {
        if (isOld) for (const entry of new Set([...byKey.values()].flatMap((entries) => [...entries]))) yield entry;
      } else if (text !== null) yield* byKey.get(keyOf(text)) ?? [];
    }
  }
}

/** Who waits for changes of one table. */
export class TableIndex {
  readonly table: PublishedTable;
  readonly relation: ChangedRelation;
  readonly #policies: Policies;
  readonly #projections: Projections;
  readonly #buckets: Readonly<Record<RowOp, Bucket>> = {
    insert: new Bucket(),
    update: new Bucket(),
    delete: new Bucket(),
  };
  readonly #entries = new Map<string, Map<ViewerGroup, Entry>>();
  readonly #ofChannel = new Map<Channel, readonly Entry[]>();

  /** @param relation what the images to be judged look like */
  constructor(table: PublishedTable, relation: ChangedRelation, policies: Policies) {
    this.table = table;
    this.relation = relation;
    this.#policies = policies;
    this.#projections = new Projections(relation, new Set(table.columns.keys()));
  }

  get isEmpty(): boolean {
    return this.#ofChannel.size === 0;
  }

  channels(): Iterable<Channel> {
    return this.#ofChannel.keys();
  }

  has(op: RowOp): boolean {
    return this.table.operations[op];
  }

  add(channel: Channel, bindings: readonly ResolvedBinding[], from: number): void {
    const group = this.#policies.groupOf(this.relation, channel.who);
    const ids = new Map<Entry, number[]>();
    for (const binding of bindings) {
      const entry = this.#entry(binding, group, channel.who);
      ids.set(entry, [...(ids.get(entry) ?? []), binding.id]);
    }
    for (const [entry, list] of ids)
      entry.members.set(channel, { ids: list, idsJson: JSON.stringify(list), from, until: Number.POSITIVE_INFINITY });
    this.#ofChannel.set(channel, [...ids.keys()]);
  }

  /**
   * @param until number of the first batch that is not for it any more
   * @returns what really takes the channel out: batches that were judged before may still be on their way to it
   */
  remove(channel: Channel, until: number): () => void {
    const entries = this.#ofChannel.get(channel) ?? [];
    this.#ofChannel.delete(channel);
    const memberships = entries.map((entry) => [entry, entry.members.get(channel)] as const);
    for (const [, membership] of memberships) if (membership !== undefined) membership.until = until;
    return () => {
      for (const [entry, membership] of memberships) {
        // It may have come back to the same entry by now.
        if (entry.members.get(channel) === membership) entry.members.delete(channel);
        if (entry.members.size === 0) this.#drop(entry);
      }
    };
  }

  candidates(op: RowOp, image: RowImage): Iterable<Entry> {
    return this.#buckets[op].candidates(this.relation, image, op === "delete");
  }

  #entry({ event, select, conditions }: ResolvedBinding, group: ViewerGroup, who: Principal): Entry {
    const key = JSON.stringify([event, select, conditions.map((condition) => condition.key)]);
    const byGroup = this.#entries.get(key) ?? new Map<ViewerGroup, Entry>();
    this.#entries.set(key, byGroup);
    const known = byGroup.get(group);
    if (known !== undefined) return known;
    const found = conditions.find(({ only }) => only !== null) ?? null;
    const projection = this.#projections.of(group.rights, select);
    const rest = conditions.filter((condition) => condition !== found);
    const entry = { key, group, who, projection, ops: opsOf[event], conditions: rest, found, members: new Map() };
    byGroup.set(group, entry);
    for (const op of entry.ops) this.#buckets[op].add(entry);
    return entry;
  }

  #drop(entry: Entry): void {
    const byGroup = this.#entries.get(entry.key);
    if (byGroup?.get(entry.group) !== entry) return;
    byGroup.delete(entry.group);
    if (byGroup.size === 0) this.#entries.delete(entry.key);
    for (const op of entry.ops) this.#buckets[op].remove(entry);
  }
}
