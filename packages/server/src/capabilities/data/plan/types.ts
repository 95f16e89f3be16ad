import type { DatabaseFunction, Relation, Relationship } from "../../../platform/postgres/catalog/types.ts";
import type { AggregateName, FullTextOperator, JsonStep, Operand, SimpleOperator } from "../request.ts";

/** What planning needs to know about a column, whatever row it is in. */
export interface ColumnType {
  readonly name: string;
  readonly type: string;
  readonly baseType: string;
  readonly isArray: boolean;
  readonly isComposite: boolean;
}

/** What one level reads from: a relation, or the rows a function returns. */
export interface Rows {
  /** As messages name it. */
  readonly name: string;
  readonly schema: string;
  /** Whose row type this is; `null` for rows without a relation, which have no relationships. */
  readonly relation: Relation | null;
  readonly columns: readonly ColumnType[];
  column(name: string): ColumnType | null;
  /** True when only run time knows the columns: then any name is passed on and PostgreSQL decides. */
  readonly isOpen: boolean;
}

/** Names and types settled. */
export interface ResolvedField {
  readonly source:
    | { readonly kind: "column"; readonly column: ColumnType }
    | { readonly kind: "computed"; readonly function: DatabaseFunction }
    /** `count` without parentheses: PostgreSQL reads `t.count` as `count(t)`. */
    | { readonly kind: "row-count" };
  readonly path: readonly JsonStep[];
}

export type Output =
  | { readonly kind: "star" }
  | {
      readonly kind: "value";
      readonly name: string;
      readonly field: ResolvedField;
      readonly cast: string | null;
      readonly aggregate: { readonly name: AggregateName; readonly cast: string | null } | null;
      /** Function that turns the column into JSON, quoted. */
      readonly representation: string | null;
    }
  | { readonly kind: "count"; readonly name: string; readonly cast: string | null }
  /** The number 1: what `count()` inside a to-one spread counts in its parent. */
  | { readonly kind: "one"; readonly name: string }
  | { readonly kind: "embed"; readonly name: string; readonly embed: Embed }
  | { readonly kind: "spread"; readonly embed: Embed; readonly columns: readonly SpreadColumn[] };

/** One column a spread brings to its parent: `inner` is its name inside the lateral join. */
export interface SpreadColumn {
  readonly name: string;
  readonly inner: string;
  /** Taken in the parent, so that it aggregates over the parent's groups. */
  readonly aggregate: { readonly name: AggregateName; readonly cast: string | null } | null;
}

export interface Embed {
  /** Of the lateral join: `e1`. */
  readonly alias: string;
  /** What paths, null tests and order terms call it. */
  readonly name: string;
  readonly relationship: Relationship;
  readonly isToOne: boolean;
  readonly isInner: boolean;
  readonly level: Level;
  /** True for `rel()`: joined for filtering, absent from the output. */
  readonly isSilent: boolean;
  /** True when a null test or `!inner` reads whether there is a row. */
  readonly isTested: boolean;
  /** Fields of the embedded row the parent is ordered by; the n-th is `o<n>` inside the lateral join. */
  readonly orderFields: readonly ResolvedField[];
  readonly spread: readonly SpreadColumn[] | null;
}

export type ResolvedCondition =
  | {
      readonly kind: "compare";
      readonly field: ResolvedField;
      readonly negated: boolean;
      readonly operator: SimpleOperator;
      readonly quantifier: "any" | "all" | null;
      readonly operand: Operand;
      /** Function that turns text into the column's type, quoted. */
      readonly representation: string | null;
    }
  | {
      readonly kind: "in";
      readonly field: ResolvedField;
      readonly negated: boolean;
      readonly operand: Operand;
      readonly representation: string | null;
    }
  | { readonly kind: "is"; readonly field: ResolvedField; readonly negated: boolean; readonly test: string }
  | {
      readonly kind: "fts";
      readonly field: ResolvedField;
      readonly negated: boolean;
      readonly operator: FullTextOperator;
      readonly config: string | null;
      readonly operand: Operand;
    }
  | { readonly kind: "embed-test"; readonly embed: Embed; readonly isNull: boolean }
  | {
      readonly kind: "logic";
      readonly negated: boolean;
      readonly operator: "and" | "or";
      readonly conditions: readonly ResolvedCondition[];
    };

export interface ResolvedOrder {
  readonly field: ResolvedField;
  /** The to-one embed whose row has the field, and the field's place in its `orderFields`; `null` for the level's own row. */
  readonly embed: { readonly embed: Embed; readonly index: number } | null;
  readonly direction: "asc" | "desc" | null;
  readonly nulls: "first" | "last" | null;
}

/** One select: what it reads, what it gives, in which order, how much. Embeds are levels of their own. */
export interface Level {
  /** `t0`, `t1` …: never a word of the request. */
  readonly alias: string;
  readonly rows: Rows;
  readonly outputs: readonly Output[];
  readonly embeds: readonly Embed[];
  readonly conditions: readonly ResolvedCondition[];
  readonly order: readonly ResolvedOrder[];
  readonly limit: Operand | null;
  readonly offset: Operand | null;
  readonly isAggregated: boolean;
}

/** A column that a body fills. */
export interface WrittenColumn {
  readonly column: ColumnType;
  /** Function that turns JSON into the column's type, quoted. */
  readonly representation: string | null;
  /** What a missing key means: `null`, or SQL for the column's default. */
  readonly fallback: string | null;
}
