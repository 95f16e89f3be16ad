import type { Node } from "../parser.ts";
import { type Body, columnOf, nameKey, relationKey, strings, walk } from "./tree.ts";

const identityCalls = new Set([
  "auth.uid",
  "auth.jwt",
  "auth.role",
  "auth.email",
  "public.current_setting",
  "pg_catalog.current_setting",
]);

/**
 * Names of the calls that ask who is asking and are not wrapped in a sub-select of their own. A volatile-free sub-select without
 * FROM becomes an InitPlan, run once; the bare call is run for every row.
 */
export function unwrappedCalls(expression: Node | null): readonly string[] {
  const found = new Set<string>();
  walk(expression, (kind, body) => {
    if (kind === "SubLink") {
      const { subselect } = body as Body<"SubLink">;
      const isWrapper = subselect && "SelectStmt" in subselect && !subselect.SelectStmt.fromClause;
      if (isWrapper) return false;
    }
    if (kind === "FuncCall") {
      const parts = strings((body as Body<"FuncCall">).funcname);
      if (identityCalls.has(nameKey(parts))) found.add(`${parts.join(".")}()`);
    }
    return undefined;
  });
  return [...found];
}

/** A column that an index would help, in the table it belongs to. */
export interface ComparedColumn {
  readonly table: string;
  readonly column: string;
  /** In a sub-select one indexed column of its table is enough to find the rows. */
  readonly isInner: boolean;
}

/** Columns compared by equality (`=`, `in`, `= any`) with something other than a constant, in every table of the expression. */
export function comparedColumns(table: string, expression: Node | null): readonly ComparedColumn[] {
  const found: ComparedColumn[] = [];
  const names = new Map([[table.slice(table.indexOf(".") + 1), table]]);
  collect(expression, { names, local: new Set([table]), isInner: false }, found);
  return found;
}

/** Where names are looked up: by alias or name, the key of the table. */
interface Scope {
  readonly names: ReadonlyMap<string, string>;
  /** Tables of the innermost FROM. A column of an outer table is the given value there, not what is looked up. */
  readonly local: ReadonlySet<string>;
  readonly isInner: boolean;
}

function collect(tree: unknown, scope: Scope, found: ComparedColumn[]): void {
  const add = (node: Node | undefined, other: Node | undefined) => {
    const reference = columnOf(node);
    if (reference === null || (other !== undefined && "A_Const" in other)) return;
    // An unqualified column belongs to the only table there is; among several nobody knows without a catalogue.
    const only = scope.local.size === 1 ? [...scope.local][0] : undefined;
    const table = reference.table === null ? only : scope.names.get(reference.table);
    if (table === undefined || !scope.local.has(table)) return;
    found.push({ table, column: reference.column, isInner: scope.isInner });
  };
  walk(tree, (kind, body) => {
    if (kind === "SelectStmt") {
      const select = body as Body<"SelectStmt">;
      const inner = fromTables(select);
      const names = new Map([...scope.names, ...inner]);
      const below = inner.size === 0 ? scope : { names, local: new Set(inner.values()), isInner: true };
      collect([select.fromClause, select.whereClause, select.targetList], below, found);
      return false;
    }
    if (kind === "SubLink") {
      // `owner in (select …)`
      const { testexpr, subLinkType } = body as Body<"SubLink">;
      if (subLinkType === "ANY_SUBLINK") add(testexpr, undefined);
    }
    if (kind === "A_Expr") {
      const { kind: form, name, lexpr, rexpr } = body as Body<"A_Expr">;
      const isEquality =
        strings(name)[0] === "=" && (form === "AEXPR_OP" || form === "AEXPR_IN" || form === "AEXPR_OP_ANY");
      if (isEquality) {
        add(lexpr, rexpr);
        add(rexpr, lexpr);
      }
    }
    return undefined;
  });
}

function fromTables(select: Body<"SelectStmt">): Map<string, string> {
  const tables = new Map<string, string>();
  walk(select.fromClause, (kind, body) => {
    if (kind === "SelectStmt") return false;
    if (kind === "RangeVar") {
      const range = body as Body<"RangeVar">;
      tables.set(range.alias?.aliasname ?? range.relname ?? "", relationKey(range));
    }
    return undefined;
  });
  return tables;
}
