import type { Queryable } from "../../../platform/postgres/database.ts";
import type { AuthContext, Caller } from "../context.ts";
import type { User } from "../user.ts";
import type { NewUser } from "../user-store.ts";
import { addressFacts } from "./address-facts.ts";

/**
 * Asks the app's hook whether an account may be. Flows ask before they open a transaction, where an answer of seconds holds no
 * connection, and before they look whether the address is known, so that a refusal does not tell; `insertUser` asks for those that
 * did not. @returns the user, admitted
 * @throws Problem the hook's refusal
 */
export async function admitUser(
  { hooks, clock }: AuthContext,
  caller: Caller | null,
  user: NewUser,
  tx?: Queryable,
): Promise<NewUser> {
  if (user.isAdmitted || !hooks.watchesUsers) return user;
  await hooks.beforeUserCreated(userToBe(user, new Date(clock.nowMs()).toISOString()), caller?.address ?? "", tx);
  return { ...user, isAdmitted: true };
}

/** The account as it would be, in the form hooks and clients read. */
function userToBe(user: NewUser, now: string): User {
  const emailConfirmedAt = user.isEmailConfirmed ? now : null;
  const phoneConfirmedAt = user.isPhoneConfirmed ? now : null;
  return {
    id: user.id,
    aud: "authenticated",
    role: user.role,
    email: user.email ?? "",
    phone: user.phone ?? "",
    emailConfirmedAt,
    phoneConfirmedAt,
    confirmedAt: emailConfirmedAt ?? phoneConfirmedAt,
    lastSignInAt: null,
    invitedAt: null,
    confirmationSentAt: null,
    recoverySentAt: null,
    emailChange: "",
    emailChangeSentAt: null,
    phoneChange: "",
    phoneChangeSentAt: null,
    reauthenticationSentAt: null,
    bannedUntil: null,
    isBanned: false,
    deletedAt: null,
    appMetadata: user.appMetadata,
    userMetadata:
      user.isAnonymous || user.identity !== undefined
        ? user.userMetadata
        : { ...user.userMetadata, ...addressFacts(user) },
    isAnonymous: user.isAnonymous,
    createdAt: now,
    updatedAt: now,
    identities: [],
    factors: [],
  };
}
