import { isNode, type Node, nodeIn, nodesIn, numberIn, parseNodeTree } from "./node-tree.ts";

/** What a view's query says about one of its columns. */
export interface ViewColumn {
  readonly origin: { readonly relation: number; readonly column: number } | null;
  /** No outer join or grouping set can have put a null in the place of the origin's value. */
  readonly keepsNotNull: boolean;
}

/**
 * Reads a view's rule: which columns are plain columns of something else. PostgreSQL itself notes the origin of each
 * (`resorigtbl`, `resorigcol`), through sub-selects too. By column number of the view.
 */
export function viewColumns(ruleAction: string): ReadonlyMap<number, ViewColumn> {
  const columns = new Map<number, ViewColumn>();
  const [list] = parseNodeTree(ruleAction);
  const query = Array.isArray(list) ? list.find(isNode) : undefined;
  // A set operation (union …) can mix origins: PostgreSQL notes those of its first arm only.
  if (query === undefined || nodeIn(query, "setOperations") !== null) return columns;
  // Written for the whole tree, sub-selects included: a sub-select may hide an outer join from the query around it.
  const mayNull = /:jointype [123]\b/.test(ruleAction) || /:groupingSets \(/.test(ruleAction);
  for (const entry of nodesIn(query, "targetList")) {
    const relation = numberIn(entry, "resorigtbl");
    const column = numberIn(entry, "resorigcol");
    const expression = nodeIn(entry, "expr");
    columns.set(numberIn(entry, "resno"), {
      origin: relation > 0 && column > 0 ? { relation, column } : null,
      keepsNotNull: expression !== null && expression.tag === "VAR" && (!mayNull || isPlain(expression, query)),
    });
  }
  return columns;
}

const relationEntry = 0;

/** A column straight from a table, on the side of every join that is never filled up with nulls (PostgreSQL ≥ 16 notes it). */
function isPlain(variable: Node, query: Node): boolean {
  const source = nodesIn(query, "rtable")[numberIn(variable, "varno") - 1];
  const [nulling] = variable.fields.get("varnullingrels") ?? [];
  const isNeverNulled = Array.isArray(nulling) && nulling.length === 1;
  return source !== undefined && numberIn(source, "rtekind") === relationEntry && isNeverNulled;
}
