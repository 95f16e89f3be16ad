import type { Principal } from "../../../kernel/principal.ts";
import { asCaller } from "../../../platform/postgres/caller.ts";
import type { Session, Statement } from "../../../platform/postgres/session/types.ts";
import type { Operation } from "../types.ts";

/**
 * The prologue of what a caller does in storage: who, and what they are about to do, for policies that tell one thing from another. Policies
 * that are written for the data API too may read headers: here there are none.
 */
export const asStorageCaller = (who: Principal, operation: Operation): readonly Statement[] =>
  asCaller(who, {
    "storage.operation": operation,
    "request.headers": "{}",
    // A database of Supabase lets nobody delete rows who does not say that the bytes are seen to.
    "storage.allow_delete_query": "true",
  });

/** The same for functions of ours that become the caller themselves (migration 0023). */
export interface CallerParameters {
  readonly role: string;
  readonly claims: string;
  readonly subject: string;
  readonly operation: string;
  /** Where the API finds an app's functions and tables; `null` for the database's own. */
  readonly searchPath: string | null;
  readonly [name: string]: string | null;
}

export function callerParameters(
  session: Pick<Session, "defaults">,
  who: Principal,
  operation: Operation,
): CallerParameters {
  return {
    role: who.role,
    claims: who.claimsJson,
    subject: who.subject ?? "",
    operation,
    searchPath: session.defaults.get("search_path") ?? null,
  };
}
