import type { Node } from "./parser.ts";

/** Thrown by what compiles a part and finds that only PostgreSQL can decide it. Caught at the nearest truth value. */
export class Beyond extends Error {
  override readonly name = "Beyond";
}

export function beyond(reason: string): never {
  throw new Beyond(reason);
}

type Union<T> = T extends unknown ? keyof T : never;
type NodeName = Union<Node>;
type Body<K extends NodeName> = Extract<Node, Record<K, unknown>>[K & keyof Extract<Node, Record<K, unknown>>];

/** The node's body when it is of this kind, or `undefined`. */
export function as<K extends NodeName>(kind: K, node: Node | undefined): Body<K> | undefined {
  // The union has no common index: that the name leads to its own body is what `Body` says.
  return (node as Readonly<Record<string, unknown>> | undefined)?.[kind] as Body<K> | undefined;
}

export const kindOf = (node: Node): string => Object.keys(node)[0] ?? "nothing";

/** A dotted name: `["auth", "uid"]`. Anything else in it (`*`, an index) is beyond. */
export const words = (nodes: readonly Node[] | undefined): readonly string[] =>
  (nodes ?? []).map((node) => as("String", node)?.sval ?? beyond("a name that is not only words"));

/**
 * The operator of `pg_catalog` that an expression names, or `null` for somebody's own: the text was printed with nothing but
 * `pg_catalog` in reach, so whatever else there is stands there as OPERATOR(schema.name).
 */
export function builtInOperator(name: readonly Node[] | undefined): string | null {
  const parts = words(name);
  return parts.length === 1 ? parts[0]! : parts.length === 2 && parts[0] === "pg_catalog" ? parts[1]! : null;
}

/** The same for functions: `null` when it is not one of `pg_catalog`. */
export const builtInFunction = builtInOperator;

/** `(select <expression>)`: only there so that it is computed once. The expression, or `null` when it is a real sub-select. */
export function wrapped(node: Node): Node | null {
  const link = as("SubLink", node);
  if (link?.subLinkType !== "EXPR_SUBLINK") return null;
  const select = as("SelectStmt", link.subselect);
  if (select?.op !== "SETOP_NONE" || select.targetList?.length !== 1) return null;
  const { targetList, op, limitOption, ...rest } = select;
  if (Object.keys(rest).length > 0 || limitOption !== "LIMIT_OPTION_DEFAULT") return null;
  return as("ResTarget", targetList[0])?.val ?? null;
}

/** Text of a constant, `'…'` or `'…'::text`. */
export function constantText(node: Node | undefined): string | null {
  const cast = as("TypeCast", node);
  const constant = as("A_Const", cast ? cast.arg : node);
  if (constant?.sval === undefined) return null;
  if (cast && (cast.typeName?.arrayBounds?.length || builtInOperator(cast.typeName?.names) !== "text")) return null;
  return constant.sval.sval ?? "";
}
