import { Problem } from "../../kernel/problem.ts";
import type { Call } from "../../kernel/route.ts";
import type { Catalog } from "../../platform/postgres/catalog/types.ts";
import type { Session } from "../../platform/postgres/session/types.ts";
import type { DataSettings } from "./effective.ts";

interface HintContext {
  readonly call: Call;
  readonly target: { readonly name: string };
  readonly catalog: Catalog;
  readonly session: Session;
  readonly settings: DataSettings;
  readonly schema: string;
}

/**
 * Adds "perhaps you meant" to an unknown table or function. Only names that the caller's role may use are told: PostgreSQL
 * itself is asked, and an anonymous caller is told nothing unless the app's owner wants it (threat B07).
 */
export async function withHint(problem: Problem, context: HintContext): Promise<Problem> {
  const isTable = problem.code === "PGRST205";
  if (problem.hint !== null || !(isTable || problem.code === "PGRST202")) return problem;
  if (!context.call.who.isAuthenticated && !context.settings.anonymousHints) return problem;
  const { catalog, schema, target } = context;
  const served = (isTable ? catalog.relations : catalog.allFunctions).filter((each) => each.schema === schema);
  const nearest = nearestName(target.name, served);
  if (nearest === null || !(await mayUse(context, isTable ? "table" : "function", nearest.oid))) return problem;
  const what = isTable ? "Perhaps you meant the table" : "Perhaps you meant to call the function";
  return new Problem(problem.code, problem.status, problem.message, {
    details: problem.details,
    headers: problem.headers,
    hint: `${what} '${schema}.${nearest.name}'`,
  });
}

async function mayUse({ call, session }: HintContext, kind: "table" | "function", oid: number): Promise<boolean> {
  const text =
    kind === "table"
      ? "select has_table_privilege($1::oid, 'select, insert, update, delete')"
      : "select has_function_privilege($1::oid, 'execute')";
  try {
    const { rows } = await session.fly({
      role: call.who.role,
      prologue: [{ text: "select set_config('role', $1, true)", values: [call.who.role] }],
      statement: { text, values: [String(oid)] },
      lane: "read",
      isRetryable: true,
    });
    return rows[0]?.[0]?.toString("latin1") === "t";
  } catch {
    // A hint is a courtesy: without an answer there is none.
    return false;
  }
}

/** Names are compared up to this length: the work grows with its square. */
const comparedChars = 63;

function nearestName<T extends { readonly name: string }>(name: string, among: readonly T[]): T | null {
  let best: T | null = null;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const each of among) {
    if (each.name === name || Math.abs(each.name.length - name.length) >= bestDistance) continue;
    const distance = editDistance(
      name.slice(0, comparedChars).toLowerCase(),
      each.name.slice(0, comparedChars).toLowerCase(),
    );
    if (distance < bestDistance) {
      best = each;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein's distance, row by row. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(previous[j]! + 1, row[j - 1]! + 1, substitution));
    }
    previous = row;
  }
  return previous[b.length]!;
}
