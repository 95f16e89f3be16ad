import type { Queryable } from "../../../platform/postgres/database.ts";
import { canonicalEmail } from "../address.ts";
import type { AuthContext, Caller } from "../context.ts";
import { oneTimeHashes } from "../one-time/secrets.ts";
import { oneTimeStore } from "../one-time/store.ts";
import { problems } from "../problems.ts";
import { type Account, userStore } from "../user-store.ts";
import { addressIn } from "./linking.ts";
import { oauthProblems } from "./problems.ts";
import { usable } from "./sign-in.ts";
import { identityStore } from "./store.ts";
import type { Profile, Provider } from "./types.ts";

/**
 * What a flow remembers of an invitation: the hash its link is found by. `null` when the request brings none.
 * @throws Problem 404 for one that is over
 */
export async function invitationOf(context: AuthContext, token: string): Promise<string | null> {
  if (token === "") return null;
  const hash = oneTimeHashes(context).ofLink(token);
  const link = await oneTimeStore.findLink(context.db, hash, ["invite"]);
  if (link === null || link.isUsed || link.isExpired) throw oauthProblems.invitedUserNotFound();
  return hash;
}

/**
 * Accepts an invitation with a provider's account, in the transaction that uses the invitation up. Its link was read in the invited
 * mailbox; the provider has to name the same address, or somebody else's account would be signed in to it by mistake.
 * @throws Problem
 */
export async function acceptInvite(
  context: AuthContext,
  tx: Queryable,
  invite: { readonly hash: string; readonly provider: Provider; readonly profile: Profile; readonly caller: Caller },
): Promise<Account> {
  const { provider, caller } = invite;
  const profile = usable(context, invite.profile);
  const address = addressIn(profile);
  await identityStore.lock(tx, provider.name, profile.subject, address);
  const link = await oneTimeStore.takeLink(tx, invite.hash, ["invite"]);
  if (link === null) throw oauthProblems.inviteNotFound();
  const { userId } = link;
  const isThere = await userStore.lock(tx, userId);
  const account = isThere ? await userStore.findById(tx, userId) : null;
  if (account === null) throw oauthProblems.inviteNotFound();
  if (account.user.isBanned) throw problems.userBanned(403);
  if (address === "" || address !== link.address || address !== canonicalEmail(account.user.email)) {
    throw oauthProblems.inviteForAnother();
  }
  const known = await identityStore.find(tx, provider.name, profile.subject);
  if (known !== null) throw oauthProblems.identityExists(known.userId === userId);
  const identity = { provider: provider.name, providerId: profile.subject, data: profile.data };
  await userStore.addIdentity(tx, { userId, ...identity });
  await identityStore.takeOver(tx, userId, identity);
  await identityStore.describe(tx, userId, profile.data);
  const traits = { provider: provider.name };
  await context.audit.record(tx, { action: "invite_accepted", userId, caller, traits });
  const accepted = await userStore.findById(tx, userId);
  if (accepted === null) throw oauthProblems.inviteNotFound();
  return accepted;
}
