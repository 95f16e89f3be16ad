import { Problem } from "../../../kernel/problem.ts";

export const sessionProblems = {
  /** PostgreSQL cannot be reached, or went away while it worked on the request. Try again; a write may or may not have happened. */
  unavailable: (cause: unknown, detail: string | null = null) =>
    new Problem("postgres/unavailable", 503, "The database is not available.", {
      hint: "Try again in a moment.",
      details: detail,
      headers: { "Retry-After": "1" },
      cause,
    }),
  /** More requests are waiting for the database than the server is set to hold (`queueLimit`). */
  full: () =>
    new Problem("postgres/busy", 503, "Too many requests are waiting for the database.", {
      hint: "Try again in a moment.",
      headers: { "Retry-After": "1" },
    }),
  /** A request waited longer for a connection than the server is set to let it (`queueTimeoutMs`). */
  timedOut: (waitedMs: number) =>
    new Problem("postgres/busy", 504, `No database connection became free within ${Math.round(waitedMs)} ms.`, {
      hint: "Try again in a moment.",
      headers: { "Retry-After": "1" },
    }),
  /** The caller went away or its deadline passed. */
  cancelled: () => new Problem("postgres/cancelled", 499, "The request was given up before the database answered."),
  /** The server is stopping. */
  closed: () =>
    new Problem("postgres/unavailable", 503, "The server is stopping.", { headers: { "Retry-After": "5" } }),
};
