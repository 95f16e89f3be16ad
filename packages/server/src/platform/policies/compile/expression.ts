import type { CollationShape, KeyKind } from "./types.ts";

/** What we can compute with. Text values are PostgreSQL's own; each kind says in `evaluate/` how they compare. */
export type ScalarType =
  | "boolean"
  | "int2"
  | "int4"
  | "int8"
  | "numeric"
  | "text"
  | "varchar"
  | "name"
  | "uuid"
  | "timestamptz"
  | "timestamp"
  | "date"
  | "json"
  | "jsonb"
  /** By its qualified name, as a constant's cast names it. */
  | `enum ${string}`;

export type SqlType =
  | ScalarType
  | `${ScalarType}[]`
  /** A built-in type that we only ask whether it is NULL. */
  | "other"
  /** A type of somebody's own: even IS NULL may mean something else of it. */
  | "opaque";

export type ComparisonOperator = "=" | "<>" | "<" | "<=" | ">" | ">=";

/**
 * A policy as a value: typed, with every operator settled. Truth values are expressions of type boolean. `beyond` stands for
 * whatever only PostgreSQL can say.
 */
export type Expression =
  | {
      readonly node: "column";
      readonly type: SqlType;
      readonly name: string;
      readonly collation: CollationShape | null;
    }
  | { readonly node: "constant"; readonly type: SqlType; readonly value: string | boolean | null }
  | { readonly node: "caller"; readonly type: SqlType; readonly what: CallerFact }
  | { readonly node: "cast"; readonly type: SqlType; readonly of: Expression }
  /** `->` and `->>`: by key, or by position in an array. */
  | {
      readonly node: "field";
      readonly type: "json" | "jsonb" | "text";
      readonly of: Expression;
      readonly at: string | number;
    }
  /** `#>` and `#>>`. */
  | {
      readonly node: "path";
      readonly type: "jsonb" | "text";
      readonly of: Expression;
      readonly path: readonly string[];
    }
  | { readonly node: "coalesce"; readonly type: SqlType; readonly of: readonly Expression[] }
  | { readonly node: "nullif"; readonly type: SqlType; readonly left: Expression; readonly right: Expression }
  | {
      readonly node: "case";
      readonly type: SqlType;
      readonly when: readonly { readonly is: Expression; readonly result: Expression }[];
      readonly otherwise: Expression;
    }
  | {
      readonly node: "arithmetic";
      readonly type: "int2" | "int4" | "int8";
      readonly operator: "+" | "-" | "*";
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly node: "fold"; readonly type: "text"; readonly to: "lower" | "upper"; readonly of: Expression }
  | { readonly node: "array"; readonly type: SqlType; readonly of: readonly Expression[] }
  /** The value of the only row of a sub-select, or NULL. */
  | {
      readonly node: "fetched";
      readonly type: SqlType;
      readonly set: number;
      readonly correlates: readonly Expression[];
    }
  | Predicate;

export type Predicate =
  | {
      readonly node: "compare";
      readonly type: "boolean";
      readonly operator: ComparisonOperator;
      readonly by: Comparison;
      readonly left: Expression;
      readonly right: Expression;
    }
  /** `left <operator> now() + shift`; the shift may be uncertain, as a day is not always 24 hours. */
  | {
      readonly node: "compareNow";
      readonly type: "boolean";
      readonly operator: ComparisonOperator;
      readonly left: Expression;
      readonly minShiftUs: bigint;
      readonly maxShiftUs: bigint;
    }
  | {
      readonly node: "distinct";
      readonly type: "boolean";
      readonly isNegated: boolean;
      readonly by: Comparison;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly node: "isNull"; readonly type: "boolean"; readonly isNegated: boolean; readonly of: Expression }
  /** IS TRUE, IS FALSE, IS UNKNOWN and their negations. */
  | {
      readonly node: "isTruth";
      readonly type: "boolean";
      readonly truth: boolean | null;
      readonly isNegated: boolean;
      readonly of: Expression;
    }
  | { readonly node: "and" | "or"; readonly type: "boolean"; readonly of: readonly Expression[] }
  | { readonly node: "not"; readonly type: "boolean"; readonly of: Expression }
  /** `left <operator> ANY (array)`, or ALL. */
  | {
      readonly node: "quantified";
      readonly type: "boolean";
      readonly quantifier: "any" | "all";
      readonly operator: ComparisonOperator;
      readonly by: Comparison;
      readonly left: Expression;
      readonly array: Expression;
    }
  /** `@>` and `&&` of arrays. */
  | {
      readonly node: "arrays";
      readonly type: "boolean";
      readonly operator: "contains" | "overlaps";
      readonly by: Comparison;
      readonly left: Expression;
      readonly right: Expression;
    }
  | {
      readonly node: "like";
      readonly type: "boolean";
      readonly isNegated: boolean;
      readonly isInsensitive: boolean;
      readonly left: Expression;
      readonly pattern: Expression;
    }
  /** jsonb `?` with one key, `?|` and `?&` with an array of them. */
  | {
      readonly node: "hasKeys";
      readonly type: "boolean";
      readonly quantifier: "one" | "any" | "all";
      readonly of: Expression;
      readonly keys: Expression;
    }
  | { readonly node: "jsonContains"; readonly type: "boolean"; readonly left: Expression; readonly right: Expression }
  /** `value IN (select …)`, or EXISTS when `value` is null, for the rows that match `correlates`. */
  | {
      readonly node: "inSet";
      readonly type: "boolean";
      readonly set: number;
      readonly correlates: readonly Expression[];
      readonly value: Expression | null;
    }
  | { readonly node: "beyond"; readonly type: "boolean"; readonly reason: string };

export type CallerFact =
  /** `auth.uid()` before its cast to uuid. */
  | "subject"
  /** `auth.role()`. */
  | "claimedRole"
  | "email"
  /** The database role, `current_user`. */
  | "role"
  /** All claims, as json or jsonb by the type. */
  | "claims"
  /** All claims, as text. */
  | "claimsText"
  /** The settings `request.jwt.claim.sub` and `request.jwt.claim.role`. */
  | "subjectSetting"
  | "roleSetting";

/** How two values are compared: by their canonical form, or as JSON. */
export type Comparison = KeyKind | "jsonb";
