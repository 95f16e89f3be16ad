import type { Problem } from "../../../kernel/problem.ts";
import type { Boundary, Reply } from "../../../kernel/route.ts";
import { type Element, writeError } from "./xml/write.ts";

/** What storage and the platform refuse with, in S3's words, where those are others: the code, and the status when that is another too. */
const translations: Readonly<Record<string, readonly [code: string, status?: number]>> = {
  "http/body-too-large": ["EntityTooLarge", 400],
  "http/body-incomplete": ["IncompleteBody", 400],
  "http/too-slow": ["RequestTimeout", 400],
  "http/not-found": ["NoSuchKey"],
  "http/method-not-allowed": ["MethodNotAllowed"],
  "http/malformed-url": ["InvalidURI"],
  "http/busy": ["SlowDown", 503],
  "storage/store-unavailable": ["ServiceUnavailable", 503],
  "storage/store-full": ["InsufficientStorage", 507],
  "postgres/unavailable": ["ServiceUnavailable", 503],
  EntityTooLarge: ["EntityTooLarge", 400],
  ResourceNotEmpty: ["BucketNotEmpty", 409],
  ResourceLocked: ["OperationAborted", 409],
  QuotaExceeded: ["QuotaExceeded", 403],
  internal: ["InternalError", 500],
};

function codeOf({ code, status }: Problem): readonly [code: string, status: number] {
  const [translated, otherStatus] = translations[code] ?? [];
  if (translated !== undefined) return [translated, otherStatus ?? status];
  // Codes of the house have a slash, and S3 has none of them.
  if (!code.includes("/") && /^[A-Z][A-Za-z0-9]+$/.test(code)) return [code, status];
  if (status === 503) return ["ServiceUnavailable", status];
  if (status >= 500) return ["InternalError", status];
  return [status === 401 || status === 403 ? "AccessDenied" : "InvalidRequest", status];
}

/** `<Error><Code/><Message/><Resource/><RequestId/></Error>` with the real status. An answer to HEAD has no body. */
export function renderError(
  problem: Problem,
  { method, id, resource }: { readonly method: string; readonly id: string; readonly resource: string },
): Reply {
  const [code, status] = codeOf(problem);
  const details =
    typeof problem.details === "object" && problem.details !== null ? Object.entries(problem.details) : [];
  const more = details.filter(([, value]) => typeof value === "string").map(([name, value]): Element => [name, value]);
  const message = problem.message === "" ? code : problem.message;
  const document = writeError([
    "Error",
    [["Code", code], ["Message", message], ...more, ["Resource", resource], ["RequestId", id]],
  ]);
  const headers = [
    "Content-Type",
    "application/xml",
    "x-amz-request-id",
    id,
    ...Object.entries(problem.headers).flat(),
  ];
  return { status, headers, body: method === "HEAD" || status === 304 ? null : document };
}

/** For what is refused before the endpoint has seen it. */
export const s3Boundary: Boundary = {
  name: "s3",
  render: (problem, call) => renderError(problem, { method: call?.method ?? "GET", id: call?.id ?? "", resource: "" }),
};
