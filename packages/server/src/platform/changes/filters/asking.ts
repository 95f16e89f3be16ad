import type { Principal } from "../../../kernel/principal.ts";
import { DatabaseError, type Session } from "../../postgres/session/types.ts";
import type { AskCondition, Asking } from "./conditions.ts";
import { FilterError } from "./filter.ts";
import { askAs, canonicalStatement, conditionStatement } from "./store.ts";

/** Puts to PostgreSQL what only it knows of a caller's filters. */
export function askingFor(session: Session, who: Principal, timeoutMs: number): Asking {
  return {
    canonical: (type, values) =>
      refusing(async () => {
        const rows = await askAs(session, who, canonicalStatement(type.sql, values), timeoutMs);
        return rows.map(([text]) => text ?? "");
      }),
    check: ({ expression, operand }, sample) =>
      refusing(async () => {
        await askAs(session, who, conditionStatement(expression, operand, [sample]), timeoutMs);
      }),
  };
}

/** Of many values, whether a condition holds, in one statement. */
export function askConditions(session: Session, timeoutMs: number): AskCondition {
  return async ({ question }, who, values) => {
    const { expression, operand } = question!;
    const rows = await askAs(session, who, conditionStatement(expression, operand, values), timeoutMs);
    return rows.map(([answer]) => answer === "t");
  };
}

/** PostgreSQL could not decide a filter for a reason that is in it: it takes too long, or fails on a value. */
export const isFiltersFault = (error: unknown): error is DatabaseError =>
  error instanceof DatabaseError && /^(57014|22|42|54)/.test(error.sqlstate);

/** What PostgreSQL says against a filter is the app's mistake: of the value (class 22), or of the operator (class 42). */
async function refusing<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof DatabaseError && /^(22|42)/.test(error.sqlstate)) {
      throw new FilterError(`the filter's value or operator does not fit its column (${error.sqlstate}).`);
    }
    throw error;
  }
}
