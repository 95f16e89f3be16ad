import type { Problem } from "../../kernel/problem.ts";
import { type Boundary, type Call, json, type Reply } from "../../kernel/route.ts";
import { problems } from "./problems.ts";
import { isObject } from "./request.ts";

/** The first version of the API whose errors are `{code: "<error_code>", message}`. */
const stringCodesSince = "2024-01-01";

/**
 * GoTrue's two error shapes (Supabase docs, Auth error codes). `code` is a number in one and a text in the other, and
 * clients decode it strictly, so the version header decides and they never mix.
 */
export const authBoundary: Boundary = {
  name: "auth",
  render(problem, call) {
    const { status, code, message } = translate(problem, call);
    const version = versionOf(call);
    const extra = isObject(problem.details) ? problem.details : {};
    const headers = ["x-sb-error-code", code, "Cache-Control", "private, no-store", ...headersOf(problem)];
    if (isOAuthError(extra))
      return json({ error: extra.error, error_description: extra.error_description }, status, headers);
    const reply: Reply =
      version !== null
        ? json({ code, message, ...extra }, status, [...headers, "X-Supabase-Api-Version", version])
        : json({ code: status, error_code: code, msg: message, ...extra }, status, headers);
    return call?.method === "HEAD" ? { ...reply, body: null } : reply;
  },
};

/** What a grant of OAuth refuses with is said as OAuth says it, whatever the version (RFC 6749 §5.2; auth.md §2.1). */
const isOAuthError = (details: Readonly<Record<string, unknown>>): boolean =>
  typeof details.error === "string" && typeof details.error_description === "string";

interface Translated {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** Other parts' problems in this protocol's words. Clients sign out on some codes, so no passing trouble may be told by one of them. */
function translate(problem: Problem, call: Pick<Call, "headers"> | null): Translated {
  const { code, status, message } = problem;
  if (code.startsWith("auth/")) return { status, code: code.slice("auth/".length), message };
  switch (code) {
    case "identity/token-expired":
      // The words are GoTrue's Go library's; clients show them.
      return {
        status: 403,
        code: "bad_jwt",
        message: "invalid JWT: unable to parse or verify signature, token is expired",
      };
    case "identity/token-invalid":
    case "identity/token-claims":
      return { status: 403, code: "bad_jwt", message: `invalid JWT: unable to parse or verify signature, ${message}` };
    case "identity/session-ended":
      return say(problems.sessionNotFound());
    case "identity/user-banned":
      return say(problems.userBanned(403));
    case "identity/user-deleted":
      return say(problems.userOfTokenNotFound());
    case "http/service-only":
      return call?.headers.authorization === undefined
        ? { status: 401, code: "no_authorization", message: "This endpoint requires a valid Bearer token" }
        : { status: 403, code: "not_admin", message: "User not allowed" };
  }
  return {
    status,
    code: codeOfStatus(status),
    message: status === 500 ? "Unexpected failure, please check server logs for more information" : message,
  };
}

const say = ({ status, code, message }: Problem): Translated => ({ status, code: code.slice("auth/".length), message });

function codeOfStatus(status: number): string {
  switch (status) {
    case 400:
      return "validation_failed";
    case 401:
      return "no_authorization";
    case 404:
      return "feature_disabled";
    case 413:
      return "request_entity_too_large";
    case 429:
      return "over_request_rate_limit";
    case 500:
    case 503:
      return "unexpected_failure";
    case 504:
      return "request_timeout";
    default:
      return "unknown";
  }
}

/** The version to answer in; `null` for the older shape. Dates compare as text. */
function versionOf(call: Pick<Call, "headers"> | null): string | null {
  const asked = call?.headers["x-supabase-api-version"];
  return typeof asked === "string" && /^\d{4}-\d{2}-\d{2}$/.test(asked) && asked >= stringCodesSince
    ? stringCodesSince
    : null;
}

function headersOf(problem: Problem): readonly string[] {
  return Object.entries(problem.headers).flat();
}
