import type { Queryable } from "../../../platform/postgres/database.ts";
import { canonicalEmail } from "../address.ts";
import type { AuthContext, Caller } from "../context.ts";
import type { CurrentUser } from "../flows/current-user.ts";
import { problems } from "../problems.ts";
import { isUuid } from "../request.ts";
import { type Account, userStore } from "../user-store.ts";
import { tellIdentity } from "./notice.ts";
import { oauthProblems } from "./problems.ts";
import { type IdentityRow, identityStore, providerTokenStore } from "./store.ts";

/** Takes an identity away from its user: they sign in by the others. Two at once never take the last two. @throws Problem */
export async function unlinkIdentity(
  context: AuthContext,
  { user: { id: userId } }: CurrentUser,
  identityId: string,
  caller: Caller,
): Promise<void> {
  if (!context.settings.manualLinkingEnabled) throw oauthProblems.manualLinkingDisabled();
  if (!isUuid(identityId)) throw problems.idMalformed("identity_id");
  await context.db.transaction(async (tx) => {
    if (!(await userStore.lock(tx, userId))) throw problems.userOfTokenNotFound();
    const account = await userStore.findById(tx, userId);
    const identities = await identityStore.listOf(tx, userId);
    const identity = identities.find((one) => one.id === identityId.toLowerCase());
    if (account === null) throw problems.userOfTokenNotFound();
    if (identities.length <= 1) throw oauthProblems.singleIdentity();
    if (identity === undefined) throw oauthProblems.identityNotFound();
    await identityStore.remove(tx, userId, identity.id);
    await dropAddress(tx, account, identity, identities);
    await identityStore.describe(tx, userId, {});
    await providerTokenStore.release(tx, userId, identity);
    const traits = { provider: identity.provider };
    await context.audit.record(tx, { action: "identity_unlinked", userId, caller, traits });
    await tellIdentity(context, tx, account.user, "identity_unlinked", identity.provider);
  });
}

/** The user's address goes with the last identity that has it; one that is left gives its own. */
async function dropAddress(
  tx: Queryable,
  { user }: Account,
  gone: IdentityRow,
  all: readonly IdentityRow[],
): Promise<void> {
  if (gone.provider === "phone") return identityStore.clearPhone(tx, user.id);
  const left = all.filter(({ id }) => id !== gone.id);
  const address = user.email.toLowerCase();
  if (address === "" || gone.email !== address || left.some(({ email }) => email === address)) return;
  // Only what a provider vouches for: an address nobody has proven could be its owner's way into this account.
  const candidates = left.filter(({ email, isEmailVerified }) => email !== "" && isEmailVerified);
  for (const { email } of candidates) {
    const next = canonicalEmail(email);
    if (next === null || (await userStore.findByEmail(tx, next)) !== null) continue;
    return identityStore.setEmail(tx, user.id, next, true);
  }
  if (candidates.length > 0) throw oauthProblems.emailConflict();
  return identityStore.setEmail(tx, user.id, null, false);
}
