import type { AuthContext, Caller } from "../context.ts";
import type { Attempt } from "./lockout.ts";

/** Writes down that an account has to wait from now on, when this failure was the one too many. */
export async function noteLocked(
  { audit, db }: AuthContext,
  attempt: Attempt,
  userId: string | null,
  caller: Caller,
): Promise<void> {
  if (attempt.isLast) await audit.record(db, { action: "account_locked", userId, caller });
}
