import { Problem } from "../../../kernel/problem.ts";
import { sqlStateOf } from "../../../platform/postgres/sql-state.ts";
import { problems } from "../problems.ts";
import { databaseProblems } from "./problems.ts";

/** What a SQLSTATE means where the statement was run, if it means anything special there. */
export interface Meanings {
  /** 23505: a name is taken. */
  readonly taken?: () => Problem;
  /** 23503: what is referenced is not there, or is still referenced. */
  readonly unreferenced?: () => Problem;
}

/** What storage says of an error of PostgreSQL's; a Problem stays as it is (protocols: storage errors). */
export function refusalOf(error: unknown, meanings: Meanings = {}): unknown {
  if (error instanceof Problem) return error;
  const state = sqlStateOf(error);
  if (state === null) return error;
  const { message, table } = error as Error & { readonly table?: string | null };
  switch (state) {
    case "42501":
      return message.includes("row-level security") ? problems.accessDenied() : problems.accessDenied(message);
    // The token names a role that is not there.
    case "22023":
    case "42704":
      return /role .* does not exist/.test(message) ? problems.accessDenied(message) : databaseProblems.refused(error);
    case "23505":
      // One of an app's own tables, which a trigger of the app writes.
      if (table !== "objects" && table !== "buckets") return databaseProblems.alreadyExists();
      return (meanings.taken ?? databaseProblems.alreadyExists)();
    case "23503":
      return table === "objects" && meanings.unreferenced !== undefined
        ? meanings.unreferenced()
        : databaseProblems.referenced();
    case "40001":
    case "40P01":
    case "55P03":
      return problems.resourceLocked();
    case "57014":
      return databaseProblems.timeout(error);
    case "25006":
      return databaseProblems.readOnly(error);
    case "42P17":
      return databaseProblems.invalidDefinition(error);
    case "MST01":
      return problems.noSuchUpload();
    default:
      return raisedBy(state, message, error);
  }
}

/** What triggers and constraints of the app say is for its callers; anything else is for the log. */
function raisedBy(state: string, message: string, error: unknown): Problem {
  const status = Number(/^PT([45]\d\d)$/.exec(state)?.[1] ?? 0);
  // `raise sqlstate 'PT409'`: a status of the app's own choice.
  if (status !== 0) return new Problem("InvalidRequest", status, message);
  if (state === "P0001" || state.startsWith("23") || state.startsWith("22")) return problems.invalidRequest(message);
  return databaseProblems.failed(state, error);
}

/** Runs it, and throws what storage says of PostgreSQL's refusal. */
export async function orRefuse<T>(work: Promise<T>, meanings?: Meanings): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw refusalOf(error, meanings);
  }
}
