import { DatabaseError } from "./session/types.ts";

/**
 * The SQLSTATE of an error of PostgreSQL's (its documentation, appendix A), `23505` for a value that is taken; `null` for any other
 * error. From `pg` or from our own session. Node's own errors have a `code` too: those are not five characters long.
 */
export function sqlStateOf(error: unknown): string | null {
  if (error instanceof DatabaseError) return error.sqlstate;
  if (typeof error !== "object" || error === null || !("code" in error)) return null;
  return typeof error.code === "string" && /^[0-9A-Z]{5}$/.test(error.code) ? error.code : null;
}
