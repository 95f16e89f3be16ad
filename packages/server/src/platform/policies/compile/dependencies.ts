import { pureFunctions } from "./functions.ts";
import type { Node } from "./parser.ts";
import { as, builtInFunction, builtInOperator, constantText, words, wrapped } from "./tree.ts";
import type { ClaimPath, Dependencies, KnownFunction, TableName } from "./types.ts";

/** Everything of the claims: what a path that we cannot follow reads. */
const whole: ClaimPath = [];

/**
 * What the text of a policy reads beside the row. It looks at every node of the tree, understood or not: what we cannot decide is
 * asked of PostgreSQL, and the answer is shared by a group all the same, so its claims must be known or be all of them.
 */
export function dependenciesOf(
  trees: readonly (Node | null)[],
  knownFunctions: ReadonlySet<KnownFunction>,
): Dependencies {
  const claims = new Map<string, ClaimPath>();
  const tables = new Map<string, TableName>();
  let readsAll = false;
  let readsAnyTable = false;
  let readsClock = false;

  const anything = (): void => {
    readsAll = true;
    readsAnyTable = true;
    readsClock = true;
  };
  const claim = (path: ClaimPath): void => {
    if (path.length === 0) readsAll = true;
    else claims.set(JSON.stringify(path), path);
  };

  const call = (node: Node): boolean => {
    const fact = callerRead(node, knownFunctions);
    if (fact === null) return false;
    for (const path of fact) claim(path);
    return true;
  };

  const visit = (value: unknown): void => {
    if (Array.isArray(value)) return value.forEach(visit);
    if (typeof value !== "object" || value === null) return;
    const node = value as Node;
    const path = claimPath(node, knownFunctions);
    if (path !== null) return claim(path);
    if (call(node)) return;
    const range = as("RangeVar", node);
    if (range) {
      // Only tables of the catalogue are printed without their schema.
      if (range.schemaname === undefined || range.relname === undefined) return anything();
      const table = { schema: range.schemaname, name: range.relname };
      tables.set(JSON.stringify([table.schema, table.name]), table);
      return;
    }
    const called = as("FuncCall", node);
    if (called) {
      const name = safely(() => builtInFunction(called.funcname));
      if (name !== null && clocks.has(name)) readsClock = true;
      else if (name === null || !pureFunctions.has(name)) anything();
    }
    const current = as("SQLValueFunction", node);
    if (current && !String(current.op).endsWith("_USER") && !String(current.op).endsWith("_ROLE")) readsClock = true;
    const operation = as("A_Expr", node);
    // An operator is a function in disguise.
    if (operation && operation.kind !== "AEXPR_NULLIF" && safely(() => builtInOperator(operation.name)) === null)
      anything();
    // So is the cast to a type of somebody's own, a domain's check above all.
    const cast = as("TypeCast", node);
    const isConstant = as("A_Const", cast?.arg) !== undefined;
    if (cast && !isConstant && safely(() => builtInOperator(cast.typeName?.names)) === null) anything();
    Object.values(node).forEach(visit);
  };
  for (const tree of trees) {
    if (tree === null) anything();
    else visit(tree);
  }
  return {
    claims: readsAll ? "all" : [...claims.values()],
    tables: readsAnyTable ? "unknown" : [...tables.values()],
    readsClock,
  };
}

const clocks = new Set(["now", "statement_timestamp", "clock_timestamp", "transaction_timestamp", "timeofday", "age"]);

function safely<T>(look: () => T): T | null {
  try {
    return look();
  } catch {
    return null;
  }
}

/** The claims behind a call of ours, by path; `null` when it is not one. */
function callerRead(node: Node, known: ReadonlySet<KnownFunction>): readonly ClaimPath[] | null {
  const call = as("FuncCall", node);
  if (!call) return null;
  const name = safely(() => words(call.funcname).join("."));
  const isKnown = known.has(name as KnownFunction) && !call.args?.length;
  switch (name) {
    case "auth.uid":
      return isKnown ? [["sub"]] : null;
    case "auth.role":
      return isKnown ? [["role"]] : null;
    case "auth.email":
      return isKnown ? [["email"]] : null;
    case "auth.jwt":
      return isKnown ? [whole] : null;
    case "current_setting":
    case "pg_catalog.current_setting":
      return settingRead(call.args?.[0]);
    default:
      return null;
  }
}

function settingRead(argument: Node | undefined): readonly ClaimPath[] | null {
  switch (constantText(argument)) {
    case "request.jwt.claims":
      return [whole];
    case "request.jwt.claim.sub":
      return [["sub"]];
    // The caller's role, which every group has in its key.
    case "request.jwt.claim.role":
    case "role":
      return [];
    default:
      return null;
  }
}

/** `auth.jwt() -> 'a' ->> 'b'`, however it gets at the token: `["a", "b"]`. `null` for anything else. */
function claimPath(node: Node, known: ReadonlySet<KnownFunction>): ClaimPath | null {
  return follow(node, known)?.path ?? null;
}

/** @returns `isWhole`: what comes next is within what has been read already */
function follow(
  node: Node,
  known: ReadonlySet<KnownFunction>,
): { readonly path: ClaimPath; readonly isWhole: boolean } | null {
  const chain = as("A_Expr", node);
  if (chain?.kind !== "AEXPR_OP" || !chain.lexpr) return null;
  const operator = safely(() => builtInOperator(chain.name));
  if (operator !== "->" && operator !== "->>") return null;
  const above = isClaims(chain.lexpr, known) ? { path: whole, isWhole: false } : follow(chain.lexpr, known);
  if (above === null) return null;
  const key = constantText(chain.rexpr);
  if (key !== null) return above.isWhole ? above : { path: [...above.path, key], isWhole: false };
  // A position in an array: the array is what is read, and all that is in it. A computed key reads all there is, and is visited for itself.
  const isPosition = as("A_Const", chain.rexpr)?.ival !== undefined;
  return isPosition && above.path.length > 0 ? { path: above.path, isWhole: true } : null;
}

/** The whole token as json or jsonb. */
function isClaims(node: Node, known: ReadonlySet<KnownFunction>): boolean {
  const inner = wrapped(node);
  if (inner) return isClaims(inner, known);
  const call = as("FuncCall", node);
  if (call) return known.has("auth.jwt") && safely(() => words(call.funcname).join(".")) === "auth.jwt";
  const cast = as("TypeCast", node);
  if (!cast?.arg) return false;
  const type = safely(() => builtInOperator(cast.typeName?.names));
  return (type === "json" || type === "jsonb") && isClaimsText(cast.arg);
}

function isClaimsText(node: Node): boolean {
  const inner = wrapped(node);
  if (inner) return isClaimsText(inner);
  const nullIf = as("A_Expr", node);
  if (nullIf?.kind === "AEXPR_NULLIF" && nullIf.lexpr) {
    return constantText(nullIf.rexpr) === "" && isClaimsText(nullIf.lexpr);
  }
  const call = as("FuncCall", node);
  if (!call || safely(() => builtInFunction(call.funcname)) !== "current_setting") return false;
  return constantText(call.args?.[0]) === "request.jwt.claims";
}
