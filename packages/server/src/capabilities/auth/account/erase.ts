import { createHmac } from "node:crypto";
import { Problem } from "../../../kernel/problem.ts";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { resealErased } from "../audit/seals.ts";
import type { AuthContext } from "../context.ts";
import { revokeProviderTokens } from "../oauth/provider-tokens.ts";
import { problems } from "../problems.ts";
import { userStore } from "../user-store.ts";
import { accountProblems } from "./problems.ts";
import { accountStore, type PlannedRows } from "./store.ts";

/**
 * Deletes an account with everything that is its owner's, in `tx`: rows by their foreign keys, what other parts keep by `onErased`,
 * and the person's name in the audit log. What remains is an entry that somebody was erased (threat X20).
 * @returns what went, by table. @throws Problem 404 when somebody else was faster, 409 when rows stand in the way, and nothing has happened
 */
export async function eraseAccount(
  context: AuthContext,
  tx: Queryable,
  userId: string,
): Promise<readonly PlannedRows[]> {
  const pseudonym = pseudonymOf(context, userId);
  await userStore.lock(tx, userId); // before anything of theirs, as everywhere: two that lock in different orders wait for each other
  await revokeProviderTokens(context, tx, userId);
  for (const erase of context.onErased) await erase(tx, userId);
  const plan = await resealErased(context, tx, { userId, pseudonym }, () => eraseRows(context, tx, userId, pseudonym));
  const count = (action: string) => plan.reduce((sum, one) => sum + (one.action === action ? one.rows : 0), 0);
  await context.audit.record(tx, {
    action: "user_deleted",
    userId: null,
    actor: "system",
    // Not even from where: that is theirs, too.
    caller: null,
    traits: { subject: pseudonym, rows_deleted: count("delete"), rows_detached: count("detach") },
  });
  return plan;
}

async function eraseRows(
  { settings }: AuthContext,
  tx: Queryable,
  userId: string,
  pseudonym: string,
): Promise<readonly PlannedRows[]> {
  const plan = await accountStore.erase(tx, userId, settings.accountErasedTables, pseudonym).catch((error: unknown) => {
    throw error instanceof Problem ? error : accountProblems.deletingFailed(error);
  });
  if (plan === null) throw problems.userNotFound();
  const blocking = plan.filter(({ action }) => action === "block");
  if (blocking.length > 0) throw accountProblems.blocked(blocking);
  return plan;
}

/**
 * What an erased user is called. A keyed hash: nobody reads the id from it, and whoever has the server's keys can still answer for an
 * id that it was erased (GDPR article 5(2)).
 */
export function pseudonymOf({ signer }: Pick<AuthContext, "signer">, userId: string): string {
  const key = signer.deriveKey("auth/erased");
  return `erased:${createHmac("sha256", key).update(userId).digest("base64url")}`;
}
