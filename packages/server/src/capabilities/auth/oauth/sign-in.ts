import { randomUUID } from "node:crypto";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { canonicalEmail } from "../address.ts";
import type { AuthContext, Caller } from "../context.ts";
import { admitUser } from "../flows/admit-user.ts";
import { insertUser } from "../flows/insert-user.ts";
import { problems } from "../problems.ts";
import { type Account, type NewUser, userStore } from "../user-store.ts";
import { addressIn, decide } from "./linking.ts";
import { tellIdentity } from "./notice.ts";
import { oauthProblems } from "./problems.ts";
import { storableProfile } from "./profile.ts";
import { type IdentityRow, identityStore } from "./store.ts";
import type { Profile, Provider } from "./types.ts";

/** What came of a provider's answer. */
export type SignedIn =
  | { readonly kind: "account"; readonly account: Account }
  /** Nobody vouches for the address. `account` waits for its confirmation; `null` where the address is somebody else's. */
  | { readonly kind: "unverified"; readonly account: Account | null; readonly address: string };

/** A profile as far as it can be stored. @throws Problem when it says not even who it is */
export function usable({ settings }: Pick<AuthContext, "settings">, profile: Profile): Profile {
  // Half of the room for metadata: the app's own has to fit beside.
  const stored = storableProfile(profile, settings.metadataMaxBytes / 2);
  if (stored === null) throw oauthProblems.badCallback("The provider does not say whose account it is");
  return stored;
}

/**
 * Finds or makes the account of somebody a provider knows. `run` gets it in the same transaction, for what is to happen with it.
 * @throws Problem `signup_disabled`, `user_banned`, `email_address_not_provided`, the hook's refusal
 */
export async function signInWith<T>(
  context: AuthContext,
  provider: Provider,
  given: Profile,
  caller: Caller,
  run: (tx: Queryable, signedIn: SignedIn) => Promise<T>,
): Promise<T> {
  const { db, settings } = context;
  const profile = usable(context, given);
  const address = addressIn(profile);
  if (address === "" && !provider.isEmailOptional && (await findKnown(db, provider, profile)) === null) {
    throw oauthProblems.emailMissing();
  }
  // The app's hook is asked here, where its answer holds no connection; that nobody came in between is seen below.
  const first = await decide(db, settings, provider, profile);
  const isFirst = first.kind === "create" || first.kind === "release" || first.kind === "refuse";
  if (isFirst && settings.disableSignup) throw problems.signupDisabled();
  const newUser = newUserOf(settings, provider, profile, address);
  const admitted = isFirst && first.kind !== "refuse" ? await admitUser(context, caller, newUser) : newUser;
  return db.transaction(async (tx) => {
    await identityStore.lock(tx, provider.name, profile.subject, address);
    return run(tx, await settle(context, tx, { provider, profile, address, caller, newUser: admitted }));
  });
}

const findKnown = (db: Queryable, provider: Provider, profile: Profile): Promise<IdentityRow | null> =>
  identityStore.find(db, provider.name, profile.subject);

interface Arrival {
  readonly provider: Provider;
  readonly profile: Profile;
  readonly address: string;
  readonly caller: Caller;
  readonly newUser: NewUser;
}

async function settle(context: AuthContext, tx: Queryable, arrival: Arrival): Promise<SignedIn> {
  const { provider, profile, address } = arrival;
  const decision = await decide(tx, context.settings, provider, profile);
  switch (decision.kind) {
    case "known":
      return welcomeBack(context, tx, arrival, decision.identity);
    case "link":
      return link(context, tx, arrival, decision.account);
    case "take-over":
      return takeOver(context, tx, arrival, decision.account.user.id);
    case "release":
      await userStore.lock(tx, decision.account.user.id);
      await identityStore.releaseEmail(tx, decision.account.user.id);
      return create(context, tx, arrival);
    case "create":
      return create(context, tx, arrival);
    case "refuse":
      if (context.settings.disableSignup) throw problems.signupDisabled();
      return { kind: "unverified", account: null, address };
  }
}

/** Somebody who signed in this way before. What the provider says of them now is written down. */
async function welcomeBack(
  context: AuthContext,
  tx: Queryable,
  arrival: Arrival,
  identity: IdentityRow,
): Promise<SignedIn> {
  const { provider, profile, address, caller } = arrival;
  const { user } = await held(tx, identity.userId);
  await identityStore.refresh(tx, identity.id, profile.data);
  const isConfirmed = user.email === "" || user.emailConfirmedAt !== null || user.phoneConfirmedAt !== null;
  if (!isConfirmed) {
    const isSame = profile.isEmailVerified && address === canonicalEmail(user.email);
    if (isSame) return takeOver(context, tx, arrival, user.id);
    // They have got themselves another address at the provider, and proven it there.
    if (profile.isEmailVerified && address !== "" && (await userStore.findByEmail(tx, address)) === null) {
      await identityStore.setEmail(tx, user.id, address, true);
      return takeOver(context, tx, arrival, user.id);
    }
    if (!context.settings.mailerAutoconfirm) {
      return { kind: "unverified", account: await held(tx, user.id), address: user.email };
    }
    await identityStore.setEmail(tx, user.id, user.email, true);
  }
  await identityStore.describe(tx, user.id, profile.data);
  await context.audit.record(tx, { action: "login", userId: user.id, caller, traits: { provider: provider.name } });
  return { kind: "account", account: await held(tx, user.id) };
}

async function link(
  context: AuthContext,
  tx: Queryable,
  { provider, profile, caller }: Arrival,
  { user: { id } }: Account,
): Promise<SignedIn> {
  const { user } = await held(tx, id);
  const identity = { provider: provider.name, providerId: profile.subject };
  await userStore.addIdentity(tx, { userId: id, ...identity, data: profile.data });
  await identityStore.describe(tx, id, profile.data);
  await context.audit.record(tx, {
    action: "identity_linked",
    userId: id,
    caller,
    traits: { provider: provider.name },
  });
  await context.audit.record(tx, { action: "login", userId: id, caller, traits: { provider: provider.name } });
  await tellIdentity(context, tx, user, "identity_linked", provider.name);
  return { kind: "account", account: await held(tx, id) };
}

async function takeOver(
  context: AuthContext,
  tx: Queryable,
  { provider, profile, caller }: Arrival,
  id: string,
): Promise<SignedIn> {
  await held(tx, id);
  const identity = { provider: provider.name, providerId: profile.subject, data: profile.data };
  await userStore.addIdentity(tx, { userId: id, ...identity });
  await identityStore.takeOver(tx, id, identity);
  await identityStore.describe(tx, id, profile.data);
  const traits = { provider: provider.name, took_over: true };
  await context.audit.record(tx, { action: "user_signedup", userId: id, caller, traits });
  return { kind: "account", account: await held(tx, id) };
}

async function create(
  context: AuthContext,
  tx: Queryable,
  { provider, address, caller, newUser }: Arrival,
): Promise<SignedIn> {
  if (context.settings.disableSignup) throw problems.signupDisabled();
  // What is in the way is not to be found by its address: it is of another kind.
  if (!(await insertUser(context, tx, caller, newUser))) throw problems.userAlreadyExists();
  const traits = { provider: provider.name };
  await context.audit.record(tx, { action: "user_signedup", userId: newUser.id, caller, traits });
  const account = await held(tx, newUser.id);
  const isOpen = newUser.isEmailConfirmed || newUser.email === null;
  return isOpen ? { kind: "account", account } : { kind: "unverified", account, address };
}

/** The account, its row held until the end. @throws Problem when it is banned, or gone */
async function held(tx: Queryable, id: string): Promise<Account> {
  const isThere = await userStore.lock(tx, id);
  const account = isThere ? await userStore.findById(tx, id) : null;
  if (account === null || account.user.isBanned) throw problems.userBanned(403);
  return account;
}

function newUserOf(
  { mailerAutoconfirm }: AuthContext["settings"],
  { name }: Provider,
  profile: Profile,
  address: string,
): NewUser {
  return {
    id: randomUUID(),
    email: address === "" ? null : address,
    phone: null,
    passwordHash: null,
    role: "authenticated",
    isEmailConfirmed: address !== "" && (profile.isEmailVerified || mailerAutoconfirm),
    isPhoneConfirmed: false,
    appMetadata: { provider: name, providers: [name] },
    userMetadata: profile.data,
    isAnonymous: false,
    bannedSeconds: null,
    identity: { provider: name, providerId: profile.subject, data: profile.data },
  };
}
