import type { A_Const, TypeName } from "libpg-query";
import type { Expression, ScalarType, SqlType } from "./expression.ts";
import type { Node } from "./parser.ts";
import { elementOf, enumType, isInteger, isTextual, typeNamed } from "./sql-types.ts";
import { beyond, words } from "./tree.ts";

/** The type that a cast names. Somebody's own type is taken for an enum: it then equals nothing but a column that is one. */
export function castType(name: TypeName | undefined): SqlType {
  const parts = words(name?.names);
  if (name?.setof || name?.pct_type || (name?.arrayBounds?.length ?? 0) > 1) beyond("an unusual type");
  const isPlain = parts.length === 1 || (parts.length === 2 && parts[0] === "pg_catalog");
  const scalar: ScalarType | null = isPlain
    ? typeNamed(parts.at(-1)!)
    : parts.length === 2
      ? enumType(parts[0]!, parts[1]!)
      : null;
  if (scalar === null) return beyond(`the type ${parts.join(".")}`);
  return name?.arrayBounds?.length ? `${scalar}[]` : scalar;
}

/** A literal with its type: PostgreSQL has printed it in that type's own format, length included. */
export function typedConstant(constant: A_Const, type: SqlType): Expression {
  if (constant.isnull) return { node: "constant", type, value: null };
  if (constant.sval === undefined) return beyond("a constant of another type");
  const text = constant.sval.sval ?? "";
  if (type === "boolean") {
    if (text !== "t" && text !== "f" && text !== "true" && text !== "false") beyond("an unusual boolean");
    return { node: "constant", type, value: text.startsWith("t") };
  }
  return { node: "constant", type, value: text };
}

/**
 * `value::type` where the result depends on nothing but the value. What may fail (`text` to `uuid`) is known to the evaluation, which
 * then decides nothing.
 */
export function cast(of: Expression, type: SqlType, typmods: readonly Node[] | undefined): Expression {
  if (typmods?.length) return beyond("a cast to a limited length");
  const from = of.type;
  if (from === type) return of;
  const fromElement = elementOf(from);
  const element = elementOf(type);
  if (fromElement && element) {
    if (of.node === "array") return { node: "array", type, of: of.of.map((item) => cast(item, element, undefined)) };
    if (isTextual(fromElement) && (element === "text" || element === "varchar")) return { node: "cast", type, of };
    if (element === "text" && (fromElement === "uuid" || isInteger(fromElement))) return { node: "cast", type, of };
    return beyond("a cast of arrays");
  }
  if ((type === "json" || type === "jsonb") && isClaimsText(of)) return { node: "caller", type, what: "claims" };
  if (!isKnown(from, type)) return beyond(`a cast from ${from} to ${type}`);
  return { node: "cast", type, of };
}

/** The claims are never empty, so `nullif(…, '')` is only a habit. */
const isClaimsText = (of: Expression): boolean =>
  (of.node === "caller" && of.what === "claimsText") ||
  (of.node === "nullif" && of.right.node === "constant" && of.right.value === "" && isClaimsText(of.left));

function isKnown(from: SqlType, to: SqlType): boolean {
  if (isTextual(from)) {
    // To `name` cuts at 63 bytes.
    return to === "text" || to === "varchar" || to === "uuid" || to === "boolean" || to === "numeric" || isInteger(to);
  }
  if (isInteger(from))
    return isInteger(to) || to === "numeric" || to === "text" || (from === "int4" && to === "boolean");
  if (to === "text" || to === "varchar") {
    return from === "uuid" || from === "boolean" || from === "numeric" || from.startsWith("enum ");
  }
  if (from === "boolean") return to === "int4";
  return from === "jsonb" && (to === "boolean" || to === "numeric" || isInteger(to));
}
