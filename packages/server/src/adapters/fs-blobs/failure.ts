import { problems } from "../../capabilities/storage/problems.ts";
import { Problem } from "../../kernel/problem.ts";

/** The code of a failed system call (`ENOENT`); `null` for any other failure. */
export function codeOf(error: unknown): string | null {
  if (!(error instanceof Error) || !("code" in error) || !("syscall" in error)) return null;
  return typeof error.code === "string" ? error.code : null;
}

/** No room, or none for this user: whoever frees some need not restart anything. */
const full: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT"]);

/** What a failed system call means to whoever wanted bytes. Anything else (the source's failure, a bug) stays what it is. */
export function failureOf(error: unknown): unknown {
  if (error instanceof Problem) return error;
  const code = codeOf(error);
  if (code === null) return error;
  return full.has(code) ? problems.storeFull(error) : problems.storeUnavailable(error);
}
