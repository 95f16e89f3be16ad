import { randomUUID } from "node:crypto";
import type {
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
} from "@simplewebauthn/server";
import { Problem } from "../../../kernel/problem.ts";
import type { AuthContext, Caller } from "../context.ts";
import type { CurrentUser } from "../flows/current-user.ts";
import { openSession, signSession } from "../flows/open-session.ts";
import { problems } from "../problems.ts";
import type { Session, User } from "../user.ts";
import { userStore } from "../user-store.ts";
import { nameOfAuthenticator } from "./authenticator-names.ts";
import { beginCreation, beginRequest, type CeremonyState, finishCreation, finishRequest } from "./ceremonies.ts";
import { tellPasskey } from "./notice.ts";
import { SignatureCounterError, webauthnProblems } from "./problems.ts";
import { credentialIdOf, userHandleIn } from "./responses.ts";
import { type ChallengeType, type Passkey, passkeyStore, type StoredPasskey } from "./store.ts";

/** A ceremony begun: what the client hands to its authenticator, and what it comes back with. */
export interface Challenge<Options> {
  readonly id: string;
  readonly options: Options;
  /** Unix seconds. */
  readonly expiresAt: number;
}

/** What the client comes back with. `credential` is as the authenticator gave it. */
export interface Answer {
  readonly challengeId: string;
  readonly credential: unknown;
}

export interface Passkeys {
  beginRegistration(current: CurrentUser): Promise<Challenge<PublicKeyCredentialCreationOptionsJSON>>;
  register(current: CurrentUser, answer: Answer, caller: Caller): Promise<Passkey>;
  beginSignIn(): Promise<Challenge<PublicKeyCredentialRequestOptionsJSON>>;
  signIn(answer: Answer, caller: Caller): Promise<Session>;
  list(userId: string): Promise<readonly Passkey[]>;
  rename(current: CurrentUser, id: string, friendlyName: string, caller: Caller): Promise<Passkey>;
  remove(current: CurrentUser, id: string, caller: Caller): Promise<void>;
  /** As an admin: whatever the owner's sessions have shown. */
  removeOf(userId: string, id: string, caller: Caller): Promise<void>;
}

export function createPasskeys(context: AuthContext): Passkeys {
  const { db, settings, audit } = context;

  const remember = async <T>(options: T, state: CeremonyState, type: ChallengeType, userId: string | null) => {
    const id = randomUUID();
    const lifeSeconds = settings.webauthnChallengeSeconds;
    const expiresAt = await passkeyStore.addChallenge(db, { id, userId, type, state, lifeSeconds });
    if (expiresAt === null) throw problems.userOfTokenNotFound();
    return { id, options, expiresAt };
  };

  /** Outside any transaction: whatever comes of the answer, the challenge is spent. */
  const take = async (id: string, type: ChallengeType, userId: string | null): Promise<CeremonyState> => {
    const challenge = await passkeyStore.takeChallenge(db, { id, userId, type });
    if (challenge === null) throw webauthnProblems.challengeNotFound();
    if (challenge.isExpired) throw webauthnProblems.challengeExpired();
    return challenge.state;
  };

  const refuseCopy = async (passkey: StoredPasskey, caller: Caller): Promise<never> => {
    await audit.record(db, {
      action: "login_failed",
      userId: passkey.userId,
      caller,
      traits: { passkey_id: passkey.id, reason: "signature_counter" },
    });
    throw webauthnProblems.verificationFailed();
  };

  const remove = async (userId: string, id: string, caller: Caller, actor?: "service_role") => {
    await db.transaction(async (tx) => {
      const removed = await passkeyStore.remove(tx, userId, id);
      if (removed === null) throw webauthnProblems.credentialNotFound();
      const traits = { passkey_id: id };
      await audit.record(tx, { action: "passkey_deleted", userId, caller, traits, ...(actor && { actor }) });
      await tellPasskey(context, tx, userId, "passkey_removed", removed.friendlyName);
    });
  };

  return {
    async beginRegistration(current) {
      const { user } = current;
      assertMayManage(current);
      if (user.isAnonymous) throw webauthnProblems.anonymousUser();
      const passkeys = await passkeyStore.list(db, user.id);
      if (passkeys.length >= settings.passkeysMaxPerUser) throw webauthnProblems.tooManyPasskeys();
      const excluded = passkeys.map(({ credential }) => credential);
      const { options, state } = await beginCreation(context, { user, purpose: "passkey", excluded });
      return remember(options, state, "registration", user.id);
    },

    async register(current, answer, caller) {
      const { user } = current;
      assertMayManage(current);
      if (user.isAnonymous) throw webauthnProblems.anonymousUser();
      const state = await take(answer.challengeId, "registration", user.id);
      const credential = await finishCreation(context, { state, response: answer.credential });
      return db.transaction(async (tx) => {
        const owner = await passkeyStore.lockUser(tx, user.id);
        if (owner === null) throw problems.userOfTokenNotFound();
        if (owner.isSsoUser) throw webauthnProblems.ssoUser();
        const passkeys = await passkeyStore.list(tx, user.id);
        if (passkeys.length >= settings.passkeysMaxPerUser) throw webauthnProblems.tooManyPasskeys();
        const passkey = await passkeyStore.add(tx, user.id, credential, nameOfAuthenticator(credential.aaguid));
        if (passkey === null) throw webauthnProblems.credentialExists();
        const traits = { passkey_id: passkey.id };
        await audit.record(tx, { action: "passkey_created", userId: user.id, caller, traits });
        await tellPasskey(context, tx, user.id, "passkey_added", passkey.friendlyName);
        return passkey;
      });
    },

    async beginSignIn() {
      const { options, state } = await beginRequest(context, { purpose: "passkey", credentials: null });
      return remember(options, state, "authentication", null);
    },

    async signIn(answer, caller) {
      const state = await take(answer.challengeId, "authentication", null);
      const passkey = await findAnswering(context, answer.credential);
      const used = await finishRequest(context, {
        state,
        response: answer.credential,
        credential: passkey.credential,
      }).catch(async (error: unknown) => {
        if (error instanceof Problem && error.cause instanceof SignatureCounterError)
          return refuseCopy(passkey, caller);
        throw error;
      });
      const account = await userStore.findById(db, passkey.userId);
      if (account === null) throw webauthnProblems.verificationFailed();
      assertMaySignIn(account.user);
      const aal = settings.passkeysAreTwoFactors ? "aal2" : "aal1";
      const opened = await db.transaction(async (tx) => {
        if (!(await passkeyStore.use(tx, passkey.id, used))) return null;
        const traits = { passkey_id: passkey.id };
        await audit.record(tx, { action: "login", userId: passkey.userId, caller, traits });
        return openSession(context, tx, account, { method: "passkey", caller, aal });
      });
      return opened === null ? refuseCopy(passkey, caller) : signSession(context, opened);
    },

    list: (userId) => passkeyStore.list(db, userId),

    rename: ({ user }, id, friendlyName, caller) =>
      db.transaction(async (tx) => {
        const passkey = await passkeyStore.rename(tx, user.id, id, friendlyName);
        if (passkey === null) throw webauthnProblems.credentialNotFound();
        await audit.record(tx, { action: "passkey_updated", userId: user.id, caller, traits: { passkey_id: id } });
        return passkey;
      }),

    async remove(current, id, caller) {
      assertMayManage(current);
      await remove(current.user.id, id, caller);
    },

    removeOf: (userId, id, caller) => remove(userId, id, caller, "service_role"),
  };
}

/** The passkey an answer is of; its owner is who the authenticator says (WebAuthn Level 3 §7.2 step 6). */
async function findAnswering({ db }: AuthContext, credential: unknown): Promise<StoredPasskey> {
  let claimed: { readonly id: string; readonly userHandle: string | null };
  try {
    claimed = { id: credentialIdOf(credential), userHandle: userHandleIn(credential) };
  } catch (error) {
    throw webauthnProblems.verificationFailed(error);
  }
  const passkey = await passkeyStore.findByCredentialId(db, claimed.id);
  if (passkey === null || claimed.userHandle !== passkey.userId) throw webauthnProblems.verificationFailed();
  return passkey;
}

/** Said only to whoever has the private key (threat A16). */
function assertMaySignIn(user: User): void {
  if (user.deletedAt !== null) throw webauthnProblems.verificationFailed();
  if (user.isBanned) throw problems.userBanned(400);
  if (user.email !== "" && user.emailConfirmedAt === null) throw problems.emailNotConfirmed();
  if (user.phone !== "" && user.phoneConfirmedAt === null) throw problems.phoneNotConfirmed();
}

/**
 * A passkey outlives the session it was added in, so a user who has a second factor adds and removes it with that (threat A23).
 */
function assertMayManage({ user, session }: CurrentUser): void {
  const hasFactor = user.factors.some(({ status }) => status === "verified");
  if (hasFactor && session?.aal !== "aal2") throw webauthnProblems.passkeyNeedsAal2();
}
