import { Problem } from "../../kernel/problem.ts";

/** What `/functions/v1` refuses with, in the codes of Supabase's runtime where it has one (protocols: functions). */
export const problems = {
  /** The project has no function of this name. */
  notFound: () => new Problem("NOT_FOUND", 404, "Requested function was not found"),
  /** The function's file could not be loaded. `mainstay functions check` and the server's log say why. */
  bootError: (why = "please check logs") => new Problem("BOOT_ERROR", 503, `Function failed to start (${why})`),
  /** The invocation took more time or memory than it may, and was ended. */
  workerLimit: (what: string) => new Problem("WORKER_LIMIT", 546, `Function was ended: ${what}`),
  /** The thread or process that ran the function ended under it. */
  workerError: () => new Problem("WORKER_ERROR", 500, "Function exited due to an error (please check logs)"),
  /** More is waiting than may wait, or waited too long for a thread. */
  busy: () =>
    new Problem("FUNCTIONS_BUSY", 503, "The function has too much to do.", {
      hint: "Try again soon.",
      headers: { "Retry-After": "1" },
    }),
  /** The function threw, or answered with something that is no `Response`. The server's log has the error. */
  threw: (cause: unknown) => new Problem("INTERNAL_ERROR", 500, "Internal Server Error", { cause }),
  /** The server stops. */
  stopping: () =>
    new Problem("FUNCTIONS_STOPPING", 503, "The server is stopping.", { headers: { "Retry-After": "5" } }),
  /** Whoever has called does not wait any more. */
  left: () => new Problem("FUNCTIONS_LEFT", 499, "The caller has left."),
};

/** Refusals that are the platform's, not the function's: clients tell them apart by a header. */
const relayed: ReadonlySet<string> = new Set([
  "NOT_FOUND",
  "BOOT_ERROR",
  "WORKER_LIMIT",
  "WORKER_ERROR",
  "FUNCTIONS_BUSY",
  "FUNCTIONS_STOPPING",
]);

export const isRelayed = (code: string): boolean => relayed.has(code) || code.startsWith("identity/");
