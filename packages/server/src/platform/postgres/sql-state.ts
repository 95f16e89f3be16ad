/**
 * The SQLSTATE of an error of PostgreSQL's (its documentation, appendix A), `23505` for a value that is taken; `null` for any other
 * error. Node's own errors have a `code` too: those are not five characters long.
 */
export function sqlStateOf(error: unknown): string | null {
  if (typeof error !== "object" || error === null || !("code" in error)) return null;
  return typeof error.code === "string" && /^[0-9A-Z]{5}$/.test(error.code) ? error.code : null;
}
