import type { Problem } from "../../kernel/problem.ts";
import { type Boundary, json } from "../../kernel/route.ts";
import { isRelayed } from "./problems.ts";

/** Words of Supabase's runtime for what the platform refuses. */
function codeOf({ code }: Problem): string {
  if (code.startsWith("identity/")) return "UNAUTHORIZED";
  switch (code) {
    case "http/not-found":
      return "NOT_FOUND";
    case "http/deadline":
      return "IDLE_TIMEOUT";
    case "http/body-too-large":
      return "BODY_TOO_LARGE";
    case "internal":
      return "INTERNAL_ERROR";
    default:
      return code;
  }
}

/** `{code, message}`; `x-relay-error: true` where it is not the function that has failed (protocols: functions). */
export const functionsBoundary: Boundary = {
  name: "functions",
  render(problem, call) {
    const status = problem.code === "http/deadline" ? 504 : problem.status;
    const headers = [
      "Cache-Control",
      "no-store",
      ...(isRelayed(problem.code) ? ["X-Relay-Error", "true"] : []),
      ...Object.entries(problem.headers).flat(),
    ];
    const reply = json({ code: codeOf(problem), message: problem.message }, status, headers);
    return call?.method === "HEAD" ? { ...reply, body: null } : reply;
  },
};
