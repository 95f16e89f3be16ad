/**
 * The words of the REST dialect, as values. A parsed request knows no tables: names are what the caller wrote, and the
 * catalogue has not been asked. Source: https://docs.postgrest.org/en/stable/references/api.html
 *
 * Shape and values are kept apart from the first byte: `lex` splits a query string into a shape (text in which each value
 * is replaced by a marker) and the values; `parse` reads only the shape. Equal shapes share one plan, one SQL text and one
 * prepared statement, so on a hit nothing is parsed, planned or compiled.
 */

/** A value: either the n-th one lexed out of the query string, or one that is part of the shape because lexing could not isolate it (logic trees). */
export type Operand =
  | { readonly kind: "slot"; readonly index: number }
  | { readonly kind: "literal"; readonly text: string };

export interface LexedQuery {
  /** Equal for requests that differ only in values. Part of the plan cache's key. */
  readonly shape: string;
  /** Percent-decoded, in slot order. */
  readonly values: readonly string[];
}

export type JsonStep =
  | { readonly arrow: "->" | "->>"; readonly key: string }
  | { readonly arrow: "->" | "->>"; readonly index: number };

export interface Field {
  readonly name: string;
  readonly path: readonly JsonStep[];
}

export type AggregateName = "sum" | "avg" | "min" | "max" | "count";

export interface EmbedHead {
  /** A relation, constraint, column or computed function, as the caller wrote it. */
  readonly target: string;
  readonly hint: string | null;
  /** `null` when the caller said neither `!inner` nor `!left`. */
  readonly join: "inner" | "left" | null;
  readonly items: readonly SelectItem[];
}

export type SelectItem =
  | { readonly kind: "star" }
  | {
      readonly kind: "column";
      readonly field: Field;
      readonly alias: string | null;
      readonly cast: string | null;
      readonly aggregate: { readonly name: AggregateName; readonly cast: string | null } | null;
    }
  | { readonly kind: "count"; readonly alias: string | null; readonly cast: string | null }
  | ({ readonly kind: "embed"; readonly alias: string | null } & EmbedHead)
  | ({ readonly kind: "spread" } & EmbedHead);

/** Operators that take one value and may be quantified by `(any)` or `(all)`. */
export type QuantifiableOperator = "eq" | "gt" | "gte" | "lt" | "lte" | "like" | "ilike" | "match" | "imatch";
export type SimpleOperator =
  | QuantifiableOperator
  | "neq"
  | "cs"
  | "cd"
  | "ov"
  | "sl"
  | "sr"
  | "nxr"
  | "nxl"
  | "adj"
  | "isdistinct";
export type FullTextOperator = "fts" | "plfts" | "phfts" | "wfts";

export type Condition =
  | {
      readonly kind: "compare";
      readonly field: Field;
      readonly negated: boolean;
      readonly operator: SimpleOperator;
      readonly quantifier: "any" | "all" | null;
      readonly operand: Operand;
    }
  /** The operand is the raw list with its parentheses: `(1,"a,b",3)`. */
  | { readonly kind: "in"; readonly field: Field; readonly negated: boolean; readonly operand: Operand }
  | {
      readonly kind: "is";
      readonly field: Field;
      readonly negated: boolean;
      readonly test: "null" | "not_null" | "true" | "false" | "unknown";
    }
  | {
      readonly kind: "fts";
      readonly field: Field;
      readonly negated: boolean;
      readonly operator: FullTextOperator;
      readonly config: string | null;
      readonly operand: Operand;
    }
  | {
      readonly kind: "logic";
      readonly negated: boolean;
      readonly operator: "and" | "or";
      readonly conditions: readonly Condition[];
    };

/** Something that applies to the relation itself (`path` empty) or to an embed, by alias or name. */
export interface Scoped<T> {
  readonly path: readonly string[];
  readonly value: T;
}

export interface OrderTerm {
  /** An embed's name or alias when ordering parents by a to-one embed: `rel(field)`. */
  readonly embed: string | null;
  readonly field: Field;
  readonly direction: "asc" | "desc" | null;
  readonly nulls: "first" | "last" | null;
}

export interface ParsedQuery {
  /** `[{ kind: "star" }]` when the parameter is absent; `[]` for an empty `select=`. */
  readonly select: readonly SelectItem[];
  /** Everything that is ANDed, in the order written; `or=(…)` and `and=(…)` are `logic` conditions here. */
  readonly conditions: readonly Scoped<Condition>[];
  readonly order: readonly Scoped<readonly OrderTerm[]>[];
  readonly limits: readonly Scoped<Operand>[];
  readonly offsets: readonly Scoped<Operand>[];
  readonly columns: readonly string[] | null;
  readonly onConflict: readonly string[] | null;
  /** Function arguments of a GET/HEAD call, in the order written; a repeated name occurs repeatedly. */
  readonly arguments: readonly { readonly name: string; readonly operand: Operand }[];
}

export type CountKind = "exact" | "planned" | "estimated";

/** The `Prefer` header, first occurrence of each kind. `unknown` holds what was not understood, for `handling=strict`. */
export interface Preferences {
  readonly return: "minimal" | "representation" | "headers-only" | null;
  readonly resolution: "merge-duplicates" | "ignore-duplicates" | null;
  readonly missing: "default" | "null" | null;
  readonly count: CountKind | null;
  readonly handling: "strict" | "lenient" | null;
  readonly tx: "commit" | "rollback" | null;
  readonly timezone: string | null;
  readonly maxAffected: number | null;
  readonly unknown: readonly string[];
}

/** One entry of an `Accept` header. Names and parameters in lower case. */
export interface MediaRange {
  /** `application/json`, `text/*`, `*` + `/*`. */
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
  /** 0 to 1. */
  readonly weight: number;
}

/** The `Range` header in rows; `upper` is inclusive, `null` for open. */
export interface RowRange {
  readonly lower: number;
  readonly upper: number | null;
}
