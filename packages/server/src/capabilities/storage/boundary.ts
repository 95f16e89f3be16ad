import type { Problem } from "../../kernel/problem.ts";
import { type Boundary, json } from "../../kernel/route.ts";

/** Labels of the older error shape, by code. Where there is none, it repeats the code. */
const labels: Readonly<Record<string, string>> = {
  NoSuchBucket: "Bucket not found",
  NoSuchKey: "not_found",
  KeyAlreadyExists: "Duplicate",
  BucketAlreadyExists: "Duplicate",
  ResourceAlreadyExists: "Duplicate",
  AccessDenied: "Unauthorized",
  AuthorizationMissing: "Error",
  EntityTooLarge: "Payload too large",
  QuotaExceeded: "Payload too large",
  InvalidMimeType: "invalid_mime_type",
  InvalidBucketName: "Invalid Input",
  InvalidRange: "invalid_range",
  SlowDown: "too_many_connections",
};

/** Statuses that are sent as they are. All others are 400, and the body says which it is: that is what clients of this protocol expect. */
const sentAsTheyAre: ReadonlySet<number> = new Set([401, 405, 408, 429, 500, 503, 504, 507, 544]);

/** Storage's words for what the platform refuses. */
function codeOf({ code }: Problem): string {
  if (code.startsWith("identity/")) return "AccessDenied";
  switch (code) {
    case "http/body-too-large":
      return "EntityTooLarge";
    case "http/not-found":
      return "NotFound";
    case "http/service-only":
      return "AccessDenied";
    case "http/busy":
      return "SlowDown";
    case "internal":
      return "InternalError";
    default:
      return code;
  }
}

/** `{statusCode, error, message, code}` (protocols: storage errors). An answer to HEAD has no body. */
export const storageBoundary: Boundary = {
  name: "storage",
  render(problem, call) {
    const code = codeOf(problem);
    const headers = ["Cache-Control", "no-store", ...Object.entries(problem.headers).flat()];
    const isRefusedIdentity = problem.code.startsWith("identity/");
    const statusCode = isRefusedIdentity ? 403 : problem.status;
    const status = sentAsTheyAre.has(statusCode) ? statusCode : 400;
    const message = problem.message === "" ? "Unauthorized" : problem.message;
    const reply = json({ statusCode: String(statusCode), error: labels[code] ?? code, message, code }, status, headers);
    return call?.method === "HEAD" ? { ...reply, body: null } : reply;
  },
};
