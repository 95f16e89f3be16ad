import type { CollationShape, TableName } from "../compile/index.ts";

/** A column as the catalogue has it. */
export interface ColumnFacts {
  readonly name: string;
  readonly number: number;
  /** Of the base type, for a domain. */
  readonly typeOid: number;
  readonly enumName: TableName | null;
  readonly collation: CollationShape | null;
  /** How it is computed from the others; `null` for an ordinary column. */
  readonly generation: string | null;
  /** Roles that were granted SELECT on it alone, by number; 0 is PUBLIC. */
  readonly selectors: readonly number[];
}

/** A policy for SELECT or ALL. */
export interface PolicyFacts {
  readonly name: string;
  /** What it says, printed with nothing but `pg_catalog` in reach. */
  readonly sql: string;
  readonly isPermissive: boolean;
  /** Roles it is for, by number; 0 is PUBLIC. */
  readonly roles: readonly number[];
  /** Numbers of its own table's columns that it reads by name. */
  readonly columns: readonly number[];
}

/** What the catalogue says of a relation that has to do with who may read it. */
export interface TableFacts extends TableName {
  readonly oid: number;
  /** `pg_class.relkind`: `r` for a table, `p` for a partitioned one, anything else for what we know nothing of. */
  readonly kind: string;
  readonly owner: number;
  readonly hasRowSecurity: boolean;
  readonly forcesRowSecurity: boolean;
  /** Roles that were granted SELECT on the whole of it. */
  readonly selectors: readonly number[];
  /** Roles that were granted USAGE of its schema. */
  readonly schemaUsers: readonly number[];
  readonly primaryKey: readonly string[];
  /** Those that are there, in their order. */
  readonly columns: readonly ColumnFacts[];
  readonly policies: readonly PolicyFacts[];
}
