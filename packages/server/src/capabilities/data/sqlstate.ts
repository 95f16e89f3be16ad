import type { DatabaseError } from "../../platform/postgres/session/types.ts";

/** Whole codes that differ from their class. */
const byCode: ReadonlyMap<string, number> = new Map([
  ["23503", 409],
  ["23505", 409],
  ["25006", 405],
  ["42883", 404],
  ["42P01", 404],
  ["42P17", 500],
  ["53400", 500],
  ["57P01", 503],
  ["P0001", 400],
]);

/** By the first two characters, the class. */
const byClass: ReadonlyMap<string, number> = new Map([
  ["08", 503],
  ["09", 500],
  ["0L", 403],
  ["0P", 403],
  ["25", 500],
  ["28", 403],
  ["2D", 500],
  ["38", 500],
  ["39", 500],
  ["3B", 500],
  ["40", 500],
  ["53", 503],
  ["54", 500],
  ["55", 500],
  ["57", 500],
  ["58", 500],
  ["F0", 500],
  ["HV", 500],
  ["P0", 500],
  ["XX", 500],
]);

/** The HTTP status of a SQLSTATE (PostgREST docs, Errors, HTTP Status Codes). */
export function statusOf({ sqlstate, message }: DatabaseError, isAuthenticated: boolean): number {
  if (sqlstate === "42501") return isAuthenticated ? 403 : 401;
  if (sqlstate === "21000") return message.endsWith("requires a WHERE clause") ? 400 : 500;
  if (sqlstate === "22023") return /^role .* does not exist$/.test(message) ? 401 : 400;
  if (sqlstate === "42883" && message.startsWith("function xmlagg(")) return 406;
  return byCode.get(sqlstate) ?? byClass.get(sqlstate.slice(0, 2)) ?? 400;
}
