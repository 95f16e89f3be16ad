import type { Problem } from "../../kernel/problem.ts";
import type { Boundary, CorsPolicy, Reply } from "../../kernel/route.ts";

/** A Problem's own headers, flat. */
export function problemHeaders(problem: Problem): readonly string[] {
  return Object.entries(problem.headers).flat();
}

/**
 * The shape used wherever no protocol has one of its own: RFC 9457, `application/problem+json`. `type` is a stable relative
 * reference made of the code; `title` is the message, `detail` the hint.
 */
export const problemJson: Boundary = {
  name: "problem+json",
  render(problem, call): Reply {
    return {
      status: problem.status,
      headers: ["Content-Type", "application/problem+json; charset=utf-8", ...problemHeaders(problem)],
      body: JSON.stringify({
        type: `/problems/${problem.code}`,
        title: problem.message,
        status: problem.status,
        detail: problem.hint ?? undefined,
        code: problem.code,
        details: problem.details ?? undefined,
        requestId: call?.id,
      }),
    };
  },
};

/** What Supabase's gateway lets browsers send (Supabase documentation, API keys). */
export const gatewayCors: CorsPolicy = {
  allowMethods: "GET, POST, PUT, PATCH, DELETE, OPTIONS, HEAD",
  allowHeaders:
    "authorization, apikey, x-client-info, content-type, accept, prefer, range, accept-profile, content-profile, " +
    "x-supabase-api-version, x-upsert, x-metadata, cache-control, x-retry-count, x-region, tus-resumable, upload-length, " +
    "upload-metadata, upload-offset, x-signature, traceparent, tracestate, baggage",
  exposeHeaders: "X-Request-Id, Retry-After",
  maxAgeSeconds: 86_400,
};
