import { Problem } from "../../../kernel/problem.ts";
import { reasonOf } from "../../../kernel/reason.ts";
import type { Queryable } from "../../../platform/postgres/database.ts";
import type { AuthContext, Caller } from "../context.ts";
import { problems } from "../problems.ts";
import { type NewUser, userStore } from "../user-store.ts";
import { addressFacts } from "./address-facts.ts";
import { admitUser } from "./admit-user.ts";

/**
 * Stores a user with the identities its addresses make. What the server knows of the address stands over what the
 * caller put in the metadata (threat A18). The app's hooks are asked before, unless the flow did, and told after the commit.
 * @returns false when the address or id is taken
 * @throws Problem 500 when a trigger of the app's refuses the row, 503 when the database is away, what a hook refuses with
 */
export async function insertUser(
  context: AuthContext,
  tx: Queryable,
  caller: Caller | null,
  user: NewUser,
): Promise<boolean> {
  await admitUser(context, caller, user, tx);
  const isOwnMetadata = user.isAnonymous || user.identity !== undefined;
  const metadata = isOwnMetadata ? user.userMetadata : { ...user.userMetadata, ...addressFacts(user) };
  try {
    if (!(await userStore.create(tx, { ...user, userMetadata: metadata }))) return false;
  } catch (error) {
    // A database that is away is no judgement of the row.
    throw error instanceof Problem ? error : problems.savingUserFailed(error);
  }
  if (user.identity !== undefined) await userStore.addIdentity(tx, { userId: user.id, ...user.identity });
  for (const provider of user.identity === undefined ? (["email", "phone"] as const) : []) {
    if (user[provider] === null) continue;
    await userStore.addIdentity(tx, { userId: user.id, provider, providerId: user.id, data: metadata });
  }
  if (context.hooks.watchesUsers) await context.afterCommit(tx, () => tellOf(context, user.id, caller));
  return true;
}

/** The account is there, whatever becomes of this. */
async function tellOf({ db, hooks, observe }: AuthContext, id: string, caller: Caller | null): Promise<void> {
  try {
    const account = await userStore.findById(db, id);
    if (account !== null) await hooks.afterUserCreated(account.user, caller?.address ?? "");
  } catch (error) {
    const reason = reasonOf(error);
    observe({ kind: "warning", area: "auth", message: `The hook after-user-created failed: ${reason}` });
  }
}
