import type { ChangedColumn, ChangedRelation, ReplicaIdentity } from "../../../kernel/change.ts";

/** What comparing values of a column needs to know of its type. */
export interface ColumnType {
  /** `pg_type.typname`, of a domain its base type's. */
  readonly name: string;
  /** Qualified and quoted, for statements: `pg_catalog.int8`, `public."Mood"`. From the catalogue, never from a request. */
  readonly sql: string;
  /** Quoted name of the schema in which its operators are: `pg_catalog` for everything PostgreSQL brings. */
  readonly operatorSchema: string;
  readonly isEnum: boolean;
  /** `S` of `typcategory`: text and what is like it. */
  readonly isText: boolean;
  /** Equal texts have equal bytes. True where there is no collation. */
  readonly isDeterministic: boolean;
  /** Texts are ordered by their bytes. */
  readonly isBytewise: boolean;
}

export interface PublishedColumn extends ChangedColumn {
  readonly type: ColumnType;
}

/** A table in a publication, as it is now. */
export interface PublishedTable {
  readonly relation: ChangedRelation;
  readonly columns: ReadonlyMap<string, PublishedColumn>;
  readonly operations: { readonly insert: boolean; readonly update: boolean; readonly delete: boolean };
}

/** All of the publication. Never changed after it was made. */
export class PublishedTables {
  readonly #print: string;
  readonly #bySchema = new Map<string, Map<string, PublishedTable>>();

  constructor(tables: readonly PublishedTable[]) {
    this.#print = JSON.stringify(tables.map((table) => ({ ...table, columns: [...table.columns] })));
    for (const table of tables) {
      const { schema, name } = table.relation;
      const inSchema = this.#bySchema.get(schema) ?? new Map<string, PublishedTable>();
      this.#bySchema.set(schema, inSchema.set(name, table));
    }
  }

  /** Nothing of the tables is other. */
  equals(other: PublishedTables): boolean {
    return this.#print === other.#print;
  }

  get(schema: string, name: string): PublishedTable | null {
    return this.#bySchema.get(schema)?.get(name) ?? null;
  }

  /** @param schema `null`: of every schema. @param name `null`: every table */
  matching(schema: string | null, name: string | null): readonly PublishedTable[] {
    const schemas = schema === null ? [...this.#bySchema.values()] : [this.#bySchema.get(schema) ?? new Map()];
    return schemas.flatMap((tables: ReadonlyMap<string, PublishedTable>) => {
      if (name === null) return [...tables.values()];
      const table = tables.get(name);
      return table === undefined ? [] : [table];
    });
  }
}

/** A relation as the catalogue has it, where the log has not shown one yet. */
export function relationOf(facts: {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly replicaIdentity: ReplicaIdentity;
  readonly columns: readonly ChangedColumn[];
}): ChangedRelation {
  const at = new Map(facts.columns.map(({ name }, index) => [name, index]));
  return { ...facts, indexOf: (column) => at.get(column) ?? -1 };
}

/** The images of both have the same values in the same places. */
export function isSameShape(one: ChangedRelation, other: ChangedRelation): boolean {
  return (
    one === other ||
    (one.oid === other.oid &&
      one.replicaIdentity === other.replicaIdentity &&
      one.columns.length === other.columns.length &&
      one.columns.every(({ name, typeOid, isKey }, at) => {
        const column = other.columns[at]!;
        return name === column.name && typeOid === column.typeOid && isKey === column.isKey;
      }))
  );
}
