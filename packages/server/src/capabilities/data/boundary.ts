import type { Principal } from "../../kernel/principal.ts";
import { Problem } from "../../kernel/problem.ts";
import type { Boundary, Reply } from "../../kernel/route.ts";
import { DatabaseError } from "../../platform/postgres/session/types.ts";
import { raisedProblem, StatedProblem } from "./raise.ts";
import { statusOf } from "./sqlstate.ts";

/** Renders problems as the dialect does (PostgREST docs, Errors): four keys, always all of them. */
export const dataBoundary: Boundary = {
  name: "data",
  render(problem, call) {
    const { code, status, message, details, hint, headers } = translate(problem);
    // `code`, `details`, `hint`, `message`: the order in which the reference implementation writes them.
    const body = JSON.stringify({ code, details, hint, message });
    const flat = [
      "Content-Type",
      "application/json; charset=utf-8",
      "Proxy-Status",
      `PostgREST; error=${headerSafe(code)}`,
    ];
    for (const [name, value] of Object.entries(headers)) flat.push(name, value);
    const reply: Reply = { status, headers: flat, body: call?.method === "HEAD" ? null : body };
    return problem instanceof StatedProblem ? { ...reply, statusText: problem.statusText } : reply;
  },
};

interface Rendered {
  readonly code: string;
  readonly status: number;
  readonly message: string;
  readonly details: unknown;
  readonly hint: string | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** Problems of other parts, in the dialect's own codes. */
function translate(problem: Problem): Rendered {
  const { code, status, message, details, hint, headers } = problem;
  const same = { code, status, message, details, hint, headers };
  const retry = { "Retry-After": "1", ...headers };
  switch (code) {
    case "identity/token-expired":
      return {
        ...same,
        code: "PGRST303",
        status: 401,
        message: "JWT expired",
        details: null,
        hint: null,
        headers: invalidToken("JWT expired"),
      };
    case "identity/token-claims":
    case "identity/session-ended":
    case "identity/user-banned":
    case "identity/user-deleted":
      return { ...same, code: "PGRST303", status: 401, headers: invalidToken(message) };
    case "identity/token-invalid":
      return { ...same, code: "PGRST301", status: 401, headers: invalidToken(message) };
    case "identity/key-missing":
      return {
        ...same,
        code: "PGRST302",
        status: 401,
        message: "No API key found in request",
        hint: "No `apikey` request header or url param was found.",
        headers: { "WWW-Authenticate": "Bearer" },
      };
    case "identity/key-unknown":
      return {
        ...same,
        code: "PGRST301",
        status: 401,
        message: "Invalid API key",
        hint: "Double check your `anon` or `service_role` API key.",
        headers: { "WWW-Authenticate": "Bearer" },
      };
    case "postgres/unavailable":
      return {
        ...same,
        code: "PGRST001",
        status: 503,
        message: "Database client error. Retrying the connection.",
        headers: retry,
      };
    case "postgres/busy":
      return {
        ...same,
        code: "PGRST003",
        status: 504,
        message: "Timed out acquiring connection from connection pool.",
        headers: retry,
      };
    case "catalog/not-loaded":
      return {
        ...same,
        code: "PGRST002",
        status: 503,
        message: "Could not query the database for the schema cache. Retrying.",
        headers: retry,
      };
    case "http/not-found":
      return { ...same, code: "PGRST125", status: 404, message: "Invalid path specified in request URL" };
    case "http/method-not-allowed":
      return { ...same, code: "PGRST117" };
    case "internal":
      return { ...same, code: "PGRSTX00", status: 500, details: null, hint: null };
    default:
      return same;
  }
}

function invalidToken(description: string): Record<string, string> {
  return { "WWW-Authenticate": `Bearer error="invalid_token", error_description="${headerSafe(description)}"` };
}

function headerSafe(text: string): string {
  return text.replace(/[^\x20-\x7e]|["\\]/g, "'");
}

/** What PostgreSQL refused, as a Problem the boundary can render. Anything else is passed on. */
export function databaseProblem(error: unknown, who: Principal): unknown {
  if (!(error instanceof DatabaseError)) return error;
  const raised = raisedProblem(error);
  if (raised !== null) return raised;
  const status = statusOf(error, who.isAuthenticated);
  const own = error.sqlstate.startsWith("42") ? withoutAliases : (text: string) => text;
  const hint = visibleHint(error, who);
  return new Problem(error.sqlstate, status, own(error.message), {
    details: error.detail && own(error.detail),
    hint: hint && own(hint),
    headers: headersOf(error, status),
  });
}

/** PostgreSQL speaks of `t0.title` where the caller wrote `title`: the alias is our statement's (threat B07). */
function withoutAliases(text: string): string {
  return text.replace(/\b[tejx]\d+\.(?=\S)/g, "");
}

/** PostgreSQL's guesses name what it found near by, which an anonymous caller may not be allowed to know of (threat B07). */
function visibleHint({ hint }: DatabaseError, who: Principal): string | null {
  return !who.isAuthenticated && hint !== null && /^Perhaps you meant/.test(hint) ? null : hint;
}

function headersOf({ sqlstate }: DatabaseError, status: number): Record<string, string> {
  if (sqlstate === "42501" && status === 401) return { "WWW-Authenticate": "Bearer" };
  return status === 503 ? { "Retry-After": "1" } : {};
}
