import type { RowImage } from "../../../kernel/change.ts";
import type { Expression, Predicate } from "../compile/expression.ts";
import type { KeyKind, SetQuery } from "../compile/types.ts";
import { canonical } from "./canonical.ts";
import { constantValue } from "./column.ts";
import type { Circumstances, Part } from "./part.ts";
import { tupleKey } from "./sets.ts";
import { failed, isUnsure, type Truth, type Unsure, type Value } from "./values.ts";

/** A value as it stands in a set's key. `null` for NULL. */
function keyText(value: Value, kind: KeyKind): string | null | Unsure {
  if (value === null || isUnsure(value)) return value;
  return canonical(kind, value as string | boolean) ?? failed;
}

/** The key of a set that nothing ties to the row. */
const untied = tupleKey([]);

/** The key of what ties the row to the set; `null` when a part is NULL, which equals nothing. */
function correlation(
  parts: readonly Part[],
  kinds: readonly KeyKind[],
): (row: RowImage, circumstances: Circumstances) => string | null | Unsure {
  // Most sets are the same for every row, and this is asked for every row and group.
  if (parts.length === 0) return () => untied;
  return (row, circumstances) => {
    const texts: string[] = [];
    let unsure: Unsure | null = null;
    let hasNull = false;
    for (const [at, part] of parts.entries()) {
      const text = keyText(part.get(row, circumstances), kinds[at]!);
      if (typeof text === "string") texts.push(text);
      else if (text === null) hasNull = true;
      else if (unsure !== failed) unsure = text;
    }
    return unsure ?? (hasNull ? null : tupleKey(texts));
  };
}

/** IN and EXISTS over a set that has been fetched. A set that is not there fails: PostgreSQL may not let the caller read it at all. */
export function inSetPart(
  { set }: Extract<Predicate, { node: "inSet" }>,
  correlates: readonly Part[],
  value: Part | null,
  query: SetQuery,
): Part {
  const keyOf = correlation(correlates, query.correlates);
  return {
    isConstant: false,
    canFail: true,
    get(row, circumstances): Truth {
      const content = circumstances.sets[set];
      if (!content) return failed;
      const key = keyOf(row, circumstances);
      const looked = value === null || query.value === null ? "" : keyText(value.get(row, circumstances), query.value);
      if (key === failed || looked === failed) return failed;
      if (typeof key === "symbol") return key;
      const group = key === null ? undefined : content.groups.get(key);
      if (!group) return false;
      if (value === null) return true;
      if (looked === null) return null;
      if (typeof looked === "symbol") return looked;
      if (group.values.has(looked)) return true;
      return group.hasNull ? null : false;
    },
  };
}

/** `(select …)` as a value: NULL without a row, an error with several. */
export function fetchedPart(
  { set, type }: Extract<Expression, { node: "fetched" }>,
  correlates: readonly Part[],
  query: SetQuery,
): Part {
  const keyOf = correlation(correlates, query.correlates);
  return {
    isConstant: false,
    canFail: true,
    get(row, circumstances): Value {
      const content = circumstances.sets[set];
      if (!content) return failed;
      const key = keyOf(row, circumstances);
      if (typeof key === "symbol") return key;
      const group = key === null ? undefined : content.groups.get(key);
      if (!group) return null;
      if (group.rows > 1) return failed;
      // A boolean's text is a word when it is cast, and a letter otherwise.
      return constantValue(type === "boolean" ? (group.single?.[0] ?? null) : group.single, type);
    },
  };
}
