import type { Expression } from "./expression.ts";

/** How PostgreSQL compares the text of one collation. Nothing is assumed: when it is not known, say the careful thing. */
export interface CollationShape {
  /** Equal means equal bytes (`pg_collation.collisdeterministic`). Otherwise no comparison of such text is decided here. */
  readonly isDeterministic: boolean;
  /** Order is the order of bytes in UTF-8: `C`, `POSIX`, `C.UTF-8`, the builtin provider. */
  readonly isByteOrder: boolean;
  /** `lower` and `upper` change A–Z as English does. False for Turkish, Azeri and Lithuanian, and where it is not known. */
  readonly foldsAscii: boolean;
}

export interface ColumnShape {
  readonly name: string;
  /** `pg_type.oid`; of the base type for a domain, whatever the depth. */
  readonly typeOid: number;
  /** Where the type is an enum (not an array of one): its own qualified name. */
  readonly enumName?: TableName;
  /** The column's own collation; `null` for the database's, and for types without one. */
  readonly collation: CollationShape | null;
}

export interface TableName {
  readonly schema: string;
  readonly name: string;
}

export interface RelationShape extends TableName {
  /** All of them, published or not, in any order. */
  readonly columns: readonly ColumnShape[];
}

/** One policy that counts for the caller's role and for SELECT (its own, or of the commands `ALL`). */
export interface PolicyText {
  /** `pg_get_expr(polqual, polrelid)`; a policy without USING is `true`. */
  readonly sql: string;
  readonly isPermissive: boolean;
}

/** `auth.*` functions that are as our migrations make them, so that their meaning is known here. */
export type KnownFunction = "auth.uid" | "auth.role" | "auth.email" | "auth.jwt";

export interface PolicyInput {
  readonly using: readonly PolicyText[];
  readonly relation: RelationShape;
  /** Which `auth.*` functions are unmodified and may be executed by the role; the others are anybody's code. */
  readonly knownFunctions: ReadonlySet<KnownFunction>;
  /** The database's own collation. */
  readonly collation: CollationShape;
  /** Ordinary and partitioned tables by name, for sub-selects; `null` for anything else, views above all: what they read is not known here. */
  tableOf(name: TableName): RelationShape | null;
}

/** Keys from the claims down: `["sub"]`, `["app_metadata", "role"]`. */
export type ClaimPath = readonly string[];

/** What a policy depends on apart from the row, its role and its text. */
export interface Dependencies {
  /**
   * The claims read by its own text, sub-selects included; `all` when it uses the whole token, or code that may read any of it.
   * The policies of the tables it reads have claims of their own: the group's key (`../claims-key.ts`) needs those too.
   */
  readonly claims: readonly ClaimPath[] | "all";
  /** The tables its sub-selects read, without those that the tables' own policies read; `unknown` when code may read any. */
  readonly tables: readonly TableName[] | "unknown";
  /** It reads a clock, or code that may: the same row may be judged otherwise later, with no change of data. */
  readonly readsClock: boolean;
}

/** Values of a kind are equal exactly when their canonical texts are (`evaluate/canonical.ts`). */
export type KeyKind =
  | "integer"
  | "numeric"
  | "text"
  | "uuid"
  | "boolean"
  | "enum"
  | "timestamptz"
  | "timestamp"
  | "date";

/**
 * A sub-select that does not depend on the row: tuples of text. Fetched once per group with `sql` as the caller, row level security
 * and all, and turned into a value with `buildSet`.
 */
export interface SetQuery {
  /**
   * One SELECT without parameters; each column is cast to text. Correlating columns first, then the value compared with IN, if any;
   * without either a single row says that there is one. It may have many rows: whoever fetches it sets a limit.
   */
  readonly sql: string;
  readonly tables: readonly TableName[];
  /** Kinds of the correlating columns. */
  readonly correlates: readonly KeyKind[];
  /** Kind of the last column; `null` when there is none, as for EXISTS. */
  readonly value: KeyKind | null;
  /** The value stands alone, as `(select …)`: more than one row of one correlation is an error in SQL. */
  readonly isScalar: boolean;
}

export type CompiledPolicy =
  | {
      readonly kind: "predicate";
      readonly predicate: Expression;
      /** Of the relation, read by the predicate. */
      readonly columns: readonly string[];
      readonly sets: readonly SetQuery[];
      /** A part of it must be asked of PostgreSQL: some rows can be decided all the same. Why, for people; `null` when all is ours. */
      readonly beyond: string | null;
      readonly depends: Dependencies;
    }
  /** Nothing of it can be decided here. */
  | { readonly kind: "beyond"; readonly reason: string; readonly depends: Dependencies };
