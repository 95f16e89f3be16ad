import type { SettingsUse } from "./settings-use.ts";

/**
 * What the database holds, as an immutable value in memory. Read at start and after DDL, swapped whole: whoever took
 * `catalog.current()` keeps one consistent picture for its request. Identifiers that reach SQL come from here (threat B01).
 */
export interface Catalog {
  /** Grows with every load: part of every plan's cache key. */
  readonly version: number;
  /** Any schema that was read, by schema and name; `null` when there is none. */
  relation(schema: string, name: string): Relation | null;
  /** All overloads, in no particular order; empty when there is none. */
  functions(schema: string, name: string): readonly DatabaseFunction[];
  /** Every relationship that starts at this relation, detected or computed. */
  relationships(origin: Relation): readonly Relationship[];
  /** Functions that take this relation's row type as their only argument and return a scalar: columns in all but name. */
  computedColumn(relation: Relation, name: string): DatabaseFunction | null;
  readonly relations: readonly Relation[];
  readonly allFunctions: readonly DatabaseFunction[];
  /** Media types the database owner defined handlers for. */
  readonly mediaHandlers: readonly MediaHandler[];
  /** `ALTER ROLE … SET`, by role: applied to the transaction of every request of that role. Lower-case names. */
  readonly roleSettings: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** What of the request and response the database\'s own code may touch. */
  readonly settingsUse: SettingsUse;
  /** Names `set timezone` accepts, in lower case. */
  readonly timezones: ReadonlySet<string>;
  /** Casts between domains and json/text that the owner defined (data representations): key `source>target` of type names, value the function to call, already quoted. */
  readonly representations: ReadonlyMap<string, string>;
  /** `pgrst.…` settings on the configuration role (`authenticator`), without the prefix: `db_max_rows` → `1000`. Configuration of the data API. */
  readonly configuration: ReadonlyMap<string, string>;
}

export type RelationKind = "table" | "partitioned-table" | "view" | "materialized-view" | "foreign-table";

export interface Relation {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly kind: RelationKind;
  readonly comment: string | null;
  /** In ordinal order. */
  readonly columns: readonly Column[];
  column(name: string): Column | null;
  /** Column names; empty when there is none. For views: the key columns of the base table when all are selected. */
  readonly primaryKey: readonly string[];
  /** Column sets covered by a unique constraint or index, the primary key included. */
  readonly uniqueKeys: readonly (readonly string[])[];
  readonly isInsertable: boolean;
  readonly isUpdatable: boolean;
  readonly isDeletable: boolean;
  readonly hasRowSecurity: boolean;
}

export interface Column {
  readonly name: string;
  readonly position: number;
  /** As `format_type` prints it, with modifiers, schema-qualified where needed: safe in SQL as it is. */
  readonly type: string;
  /** The type behind a domain; equal to `type` otherwise. */
  readonly baseType: string;
  readonly isArray: boolean;
  readonly isComposite: boolean;
  readonly isNullable: boolean;
  readonly hasDefault: boolean;
  /** Default expression as SQL, `null` when there is none. For OpenAPI and generated types, never executed. */
  readonly defaultExpression: string | null;
  /** `GENERATED ALWAYS AS (…) STORED` or identity `ALWAYS`: may not be written. */
  readonly isGenerated: boolean;
  readonly isIdentity: boolean;
  readonly enumValues: readonly string[] | null;
  readonly maxLength: number | null;
  readonly comment: string | null;
}

/** Pairs of column names, origin first. */
export type ColumnPairs = readonly (readonly [origin: string, target: string])[];

export type Relationship =
  | {
      readonly kind: "many-to-one" | "one-to-one" | "one-to-many";
      readonly origin: Relation;
      readonly target: Relation;
      /** Name of the foreign key, on whichever side it lives. */
      readonly constraint: string;
      readonly columns: ColumnPairs;
      /** True when the foreign key lives on the origin (many-to-one, and one direction of one-to-one). */
      readonly isForeignKeyOnOrigin: boolean;
    }
  | {
      readonly kind: "many-to-many";
      readonly origin: Relation;
      readonly target: Relation;
      readonly junction: Relation;
      readonly originConstraint: string;
      readonly targetConstraint: string;
      /** origin column ↔ junction column */
      readonly originColumns: ColumnPairs;
      /** junction column ↔ target column */
      readonly targetColumns: ColumnPairs;
    }
  | {
      readonly kind: "computed";
      readonly origin: Relation;
      readonly target: Relation;
      readonly function: DatabaseFunction;
      /** One object rather than an array: not SETOF, or `ROWS 1`. */
      readonly isToOne: boolean;
    };

export interface Parameter {
  /** `""` for an unnamed parameter. */
  readonly name: string;
  /** Safe in SQL as it is. */
  readonly type: string;
  readonly isRequired: boolean;
  readonly isVariadic: boolean;
}

export type ReturnShape =
  | { readonly kind: "void" }
  | { readonly kind: "scalar"; readonly type: string }
  /** A row of a known relation, when the function returns a table's type. */
  | { readonly kind: "relation"; readonly relation: Relation }
  /** OUT parameters, `RETURNS TABLE`, a composite type or `record`. Columns are empty when only run time knows them. */
  | { readonly kind: "composite"; readonly columns: readonly { readonly name: string; readonly type: string }[] };

export interface DatabaseFunction {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  /** IN, INOUT and VARIADIC only. */
  readonly parameters: readonly Parameter[];
  readonly returns: ReturnShape;
  readonly isSetReturning: boolean;
  /** `ROWS n`. */
  readonly estimatedRows: number;
  readonly volatility: "immutable" | "stable" | "volatile";
  /** The function's own `SET` clauses, lower-case names. */
  readonly settings: ReadonlyMap<string, string>;
  readonly comment: string | null;
}

/** A function or aggregate over a domain named like a media type. */
export interface MediaHandler {
  readonly mediaType: string;
  /** `null`: for any relation (`anyelement`). */
  readonly relation: Relation | null;
  /** Quoted and schema-qualified. */
  readonly function: string;
}

/** The holder everybody asks. */
export interface CatalogHolder {
  /** The newest picture. Throws a Problem `catalog/not-loaded` (503) before the first load. */
  current(): Catalog;
  /** Resolves when a load that began after this call has been swapped in. */
  reload(): Promise<Catalog>;
  close(): Promise<void>;
}
