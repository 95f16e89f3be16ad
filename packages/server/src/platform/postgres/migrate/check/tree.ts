import type { Node } from "../parser.ts";

/** One kind's content out of the parser's union: `Body<"FuncCall">`. */
export type Body<K extends string> = Extract<Node, Record<K, unknown>> extends Record<K, infer B> ? B : never;

/** Calls `visit` for every node below and including `tree`, with its kind; not below where it says `false`. */
export function walk(tree: unknown, visit: (kind: string, body: unknown) => false | undefined): void {
  if (Array.isArray(tree)) {
    for (const item of tree) walk(item, visit);
    return;
  }
  if (tree === null || typeof tree !== "object") return;
  for (const [key, value] of Object.entries(tree)) {
    if (value === null || typeof value !== "object") continue;
    // Kinds begin with a capital, fields with a small letter.
    const isKind = /^[A-Z]/.test(key) && !Array.isArray(value);
    if (isKind && visit(key, value) === false) continue;
    walk(value, visit);
  }
}

export const strings = (nodes: readonly Node[] | undefined): string[] =>
  (nodes ?? []).flatMap((node) => ("String" in node ? [node.String.sval ?? ""] : []));

/** `public` is where an unqualified name of a migration goes. */
export const relationKey = (relation: { schemaname?: string; relname?: string } | undefined): string =>
  `${relation?.schemaname ?? "public"}.${relation?.relname ?? ""}`;

/** `["auth", "users"]` or `["users"]`. */
export const nameKey = (parts: readonly string[]): string =>
  parts.length > 1 ? parts.slice(-2).join(".") : `public.${parts[0] ?? ""}`;

/** The name of a plain column reference, last part; `null` for `*`. */
export function columnOf(node: Node | undefined): { table: string | null; column: string } | null {
  let inner = node;
  while (inner !== undefined && "TypeCast" in inner) inner = inner.TypeCast.arg;
  if (inner === undefined || !("ColumnRef" in inner)) return null;
  const parts = strings(inner.ColumnRef.fields);
  const column = parts.at(-1);
  if (column === undefined || parts.length !== (inner.ColumnRef.fields?.length ?? 0)) return null;
  return { table: parts.at(-2) ?? null, column };
}
