import { randomUUID } from "node:crypto";
import type { AuthContext, Caller } from "../context.ts";
import { problems } from "../problems.ts";
import type { Fields } from "../request.ts";
import type { Session } from "../user.ts";
import { userStore } from "../user-store.ts";
import { admitUser } from "./admit-user.ts";
import { insertUser } from "./insert-user.ts";
import { openSession, signSession } from "./open-session.ts";

/** An account without address or password, to be completed with `PUT /user` (Supabase docs, Anonymous Sign-Ins). */
export async function signInAnonymously(context: AuthContext, data: Fields, caller: Caller): Promise<Session> {
  const { settings, limits, db } = context;
  if (settings.disableSignup) throw problems.signupDisabled();
  if (!settings.anonymousEnabled) throw problems.anonymousDisabled();
  await limits.take("anonymous", caller.network);
  const id = randomUUID();
  const user = await admitUser(context, caller, {
    id,
    email: null,
    phone: null,
    passwordHash: null,
    role: "authenticated",
    isEmailConfirmed: false,
    isPhoneConfirmed: false,
    appMetadata: {},
    userMetadata: data,
    isAnonymous: true,
    bannedSeconds: null,
  });
  const opened = await db.transaction(async (tx) => {
    await insertUser(context, tx, caller, user);
    const account = await userStore.findById(tx, id);
    if (account === null) throw problems.userNotFound();
    await context.audit.record(tx, { action: "user_signedup", userId: id, caller });
    return openSession(context, tx, account, { method: "anonymous", caller });
  });
  return signSession(context, opened);
}
