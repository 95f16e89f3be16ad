import type { RowImage } from "../../../kernel/change.ts";
import type { Principal } from "../../../kernel/principal.ts";
import type { SetQuery } from "../compile/types.ts";
import type { CallerClaims } from "./caller.ts";
import type { SetContent } from "./sets.ts";
import { absent, failed, isUnsure, type Known, type Unsure, type Value } from "./values.ts";

/** What holds while rows are judged, beside the rows. */
export interface Circumstances {
  /** By the policy's `sets`; `null` for one that could not be fetched: nothing is decided without it. */
  readonly sets: readonly (SetContent | null)[];
  /** Between which moments PostgreSQL's `now()` would lie, in Unix microseconds; `null` when that is not known. */
  readonly now: { readonly earliestUs: bigint; readonly latestUs: bigint } | null;
}

/** An expression, bound to a caller: what is left to know is the row. */
export interface Part {
  /** The same for every row. */
  readonly isConstant: boolean;
  /** May come out as `failed`, so it must be looked at even when the rest has decided. */
  readonly canFail: boolean;
  get(row: RowImage, circumstances: Circumstances): Value;
}

/** Who asks, and where the columns are in a row. */
export interface Binding {
  readonly who: Principal;
  readonly claims: CallerClaims;
  indexOf(column: string): number;
  readonly sets: readonly SetQuery[];
  readonly hasRun: boolean;
  /** Something that is the same for every row is an error, or may be. */
  onFailure(): void;
}

export const constantPart = (value: Value): Part => ({
  isConstant: true,
  canFail: value === failed,
  get: () => value,
});

const noRow: RowImage = [];
const nothing: Circumstances = { sets: [], now: null };

/** A part computed from others: at once, when they are all constant. */
export function derived(
  of: readonly Part[],
  get: (row: RowImage, circumstances: Circumstances) => Value,
  mayFail = false,
): Part {
  if (of.every(({ isConstant }) => isConstant)) return constantPart(get(noRow, nothing));
  return { isConstant: false, canFail: mayFail || of.some(({ canFail }) => canFail), get };
}

/** A strict function: NULL of NULL, unsure of what is unsure. */
export function strict(of: Part, mayFail: boolean, compute: (value: Known) => Value): Part {
  return derived(
    [of],
    (row, circumstances) => {
      const value = of.get(row, circumstances);
      return value === null || isUnsure(value) ? value : compute(value);
    },
    mayFail,
  );
}

/** A strict function of two: NULL when either is, and as unsure as the worse of them. */
export function strictPair(
  left: Part,
  right: Part,
  mayFail: boolean,
  compute: (left: Known, right: Known) => Value,
): Part {
  return derived(
    [left, right],
    (row, circumstances) => {
      const a = left.get(row, circumstances);
      const b = right.get(row, circumstances);
      const unsure = doubt(a, b);
      if (unsure !== null) return unsure;
      // Where there is no doubt, neither is unsure.
      return a === null || b === null ? null : compute(a as Known, b as Known);
    },
    mayFail,
  );
}

/** The worse of two doubts, or `null` when there is none. */
export function doubt(left: Value, right: Value): Unsure | null {
  if (left === failed || right === failed) return failed;
  return left === absent || right === absent ? absent : null;
}
