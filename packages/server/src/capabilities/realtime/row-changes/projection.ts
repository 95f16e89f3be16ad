import type { ChangedRelation } from "../../../kernel/change.ts";
import type { ReadRights } from "../../../platform/policies/types.ts";

/**
 * What some callers get to see of a table's columns. One object per relation for all who see the same, so that a message is made once
 * for all of them.
 */
export interface Projection {
  readonly rights: "all" | "row-secured" | "none";
  /** Places of the columns in `record`. */
  readonly columns: readonly number[];
  /** Places of the columns that an old row may have where nothing more is known of it: what names the row. */
  readonly key: readonly number[];
  /** Places that the old row may have where all of it may be seen: `columns`, and the primary key. */
  readonly old: readonly number[];
  /** `[{"name":"id","type":"int8"}]` */
  readonly columnsJson: string;
}

/** Projections of one relation. */
export class Projections {
  readonly #relation: ChangedRelation;
  readonly #published: ReadonlySet<string>;
  readonly #known = new Map<string, Projection>();

  /** @param published columns that the publication has: the log may know of more, for other readers */
  constructor(relation: ChangedRelation, published: ReadonlySet<string>) {
    this.#relation = relation;
    this.#published = published;
  }

  /** @param select `null`: all columns that may be read */
  of(rights: ReadRights, select: readonly string[] | null): Projection {
    const allowed = this.#places((name) => rights.columns.has(name));
    const columns =
      select === null ? allowed : allowed.filter((at) => select.includes(this.#relation.columns[at]!.name));
    const primaryKey = allowed.filter((at) => rights.primaryKey.includes(this.#relation.columns[at]!.name));
    const identity = allowed.filter((at) => this.#relation.columns[at]!.isKey);
    const key = rights.isRowSecured || this.#relation.replicaIdentity === "full" ? primaryKey : identity;
    const kind = allowed.length === 0 ? "none" : rights.isRowSecured ? "row-secured" : "all";
    const name = `${kind} ${columns.join()} ${key.join()} ${primaryKey.join()}`;
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const old = allowed.filter((at) => columns.includes(at) || primaryKey.includes(at));
    const projection: Projection = {
      rights: kind,
      columns,
      key: select === null ? key : key.filter((at) => old.includes(at)),
      old,
      columnsJson: JSON.stringify(
        columns.map((at) => {
          const { name, typeName } = this.#relation.columns[at]!;
          return { name, type: typeName };
        }),
      ),
    };
    this.#known.set(name, projection);
    return projection;
  }

  #places(isWanted: (name: string) => boolean): readonly number[] {
    return this.#relation.columns.flatMap(({ name }, at) => (this.#published.has(name) && isWanted(name) ? [at] : []));
  }
}
