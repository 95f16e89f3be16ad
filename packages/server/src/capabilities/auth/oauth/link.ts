import type { Queryable } from "../../../platform/postgres/database.ts";
import type { AuthContext, Caller } from "../context.ts";
import { problems } from "../problems.ts";
import { type Account, userStore } from "../user-store.ts";
import { addressIn } from "./linking.ts";
import { tellIdentity } from "./notice.ts";
import { oauthProblems } from "./problems.ts";
import { usable } from "./sign-in.ts";
import { identityStore } from "./store.ts";
import type { Profile, Provider } from "./types.ts";

/**
 * Adds a provider's account to a signed-in user, who has shown both. Somebody without an address, an anonymous user above all, gets
 * the provider's when it vouches for it.
 * @throws Problem `identity_already_exists`; `email_exists` when an address that would become theirs is another's; `user_banned`
 */
export async function linkIdentity(
  context: AuthContext,
  tx: Queryable,
  link: { readonly userId: string; readonly provider: Provider; readonly profile: Profile; readonly caller: Caller },
): Promise<Account> {
  const { userId, provider, caller } = link;
  const profile = usable(context, link.profile);
  const address = profile.isEmailVerified ? addressIn(profile) : "";
  await identityStore.lock(tx, provider.name, profile.subject, address);
  const isThere = await userStore.lock(tx, userId);
  const account = isThere ? await userStore.findById(tx, userId) : null;
  if (account === null) throw problems.userOfTokenNotFound();
  if (account.user.isBanned) throw problems.userBanned(403);
  const known = await identityStore.find(tx, provider.name, profile.subject);
  if (known !== null) throw oauthProblems.identityExists(known.userId === userId);
  const identity = { provider: provider.name, providerId: profile.subject };
  await userStore.addIdentity(tx, { userId, ...identity, data: profile.data });
  if (account.user.email === "" && address !== "") {
    if ((await userStore.findByEmail(tx, address)) !== null) throw problems.emailExists();
    await identityStore.setEmail(tx, userId, address, true);
  }
  if (account.user.isAnonymous) await userStore.update(tx, userId, { isAnonymous: false });
  await identityStore.describe(tx, userId, {});
  const traits = { provider: provider.name };
  await context.audit.record(tx, { action: "identity_linked", userId, caller, traits });
  await tellIdentity(context, tx, account.user, "identity_linked", provider.name);
  const linked = await userStore.findById(tx, userId);
  if (linked === null) throw problems.userOfTokenNotFound();
  return linked;
}
