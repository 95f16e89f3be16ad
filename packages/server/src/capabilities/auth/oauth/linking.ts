import type { Queryable } from "../../../platform/postgres/database.ts";
import { canonicalEmail } from "../address.ts";
import type { AuthContext } from "../context.ts";
import type { User } from "../user.ts";
import { type Account, userStore } from "../user-store.ts";
import { type IdentityRow, identityStore } from "./store.ts";
import type { Profile, Provider } from "./types.ts";

/** Whose account a provider's answer opens. */
export type Decision =
  /** This account of the provider has signed in before. */
  | { readonly kind: "known"; readonly identity: IdentityRow }
  /** Both sides have proven the address: one person. */
  | { readonly kind: "link"; readonly account: Account }
  /** Somebody has entered the address and never proven it: it is the newcomer's, who has. */
  | { readonly kind: "take-over"; readonly account: Account }
  /** The same, on an account that is somebody's all the same: it keeps everything but the address, and the newcomer gets their own. */
  | { readonly kind: "release"; readonly account: Account }
  | { readonly kind: "create" }
  /** The provider does not vouch for the address, and somebody else has it. */
  | { readonly kind: "refuse" };

/** The address as ours are spelled; `""` for none, or one that is no address. */
export const addressIn = (profile: Profile): string =>
  profile.email === "" ? "" : (canonicalEmail(profile.email) ?? "");

/**
 * The linking rules (auth.md §9.3; threats A05, A06). An address counts only when the provider vouches for it; what a caller says of
 * their address counts never. Accounts of single sign-on are not found by address at all.
 */
export async function decide(
  db: Queryable,
  settings: AuthContext["settings"],
  provider: Pick<Provider, "name">,
  profile: Profile,
): Promise<Decision> {
  const identity = await identityStore.find(db, provider.name, profile.subject);
  if (identity !== null) return { kind: "known", identity };
  const email = addressIn(profile);
  const account = email === "" ? null : await userStore.findByEmail(db, email);
  if (account === null) return { kind: "create" };
  if (!profile.isEmailVerified) return { kind: "refuse" };
  if (isProven(settings, account.user)) return { kind: "link", account };
  return { kind: isProvenOtherwise(account.user) ? "release" : "take-over", account };
}

type IdentityData = { readonly email_verified?: unknown } | undefined;

/** Identities of providers that vouch for their address. */
const vouched = (user: User) =>
  user.identities.filter(
    ({ provider, identity_data: data }) =>
      provider !== "email" && provider !== "phone" && (data as IdentityData)?.email_verified === true,
  );

/** Whether the account is somebody's for another reason than the address: a number, or another address of theirs. */
const isProvenOtherwise = (user: User): boolean =>
  user.phoneConfirmedAt !== null || vouched(user).some(({ email }) => email !== user.email.toLowerCase());

/**
 * Whether whoever made the account has shown that its address is theirs. Where addresses confirm themselves a confirmed one shows
 * nothing: then a provider must have vouched for it before, or an admin invited it.
 */
export function isProven(settings: Pick<AuthContext["settings"], "mailerAutoconfirm">, user: User): boolean {
  if (user.emailConfirmedAt === null) return false;
  if (!settings.mailerAutoconfirm || user.invitedAt !== null) return true;
  return vouched(user).some(({ email }) => email === user.email.toLowerCase());
}
