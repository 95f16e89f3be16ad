import { createHash, randomUUID } from "node:crypto";
import { durationMs } from "../../../kernel/duration.ts";
import { eraseAccount } from "../account/erase.ts";
import { canonicalEmail, canonicalPhone } from "../address.ts";
import type { AuthContext, Caller } from "../context.ts";
import { isFirebaseHash } from "../firebase-scrypt.ts";
import { problems } from "../problems.ts";
import { type Fields, isUuid } from "../request.ts";
import { sessionStore } from "../session-store.ts";
import type { User } from "../user.ts";
import { type UserPage, type UserPatch, userStore } from "../user-store.ts";
import { admitUser } from "./admit-user.ts";
import { insertUser } from "./insert-user.ts";
import { storePatch } from "./store-patch.ts";

/** What an admin may set of a user at GoTrue's `/admin/users`. Texts are `""` and objects `null` when left out. */
export interface AdminUser {
  readonly id: string;
  readonly email: string;
  readonly phone: string;
  readonly password: string;
  /** A hash made elsewhere: bcrypt, argon2 or Firebase scrypt. */
  readonly passwordHash: string;
  readonly emailConfirm: boolean;
  readonly phoneConfirm: boolean;
  readonly userMetadata: Fields | null;
  readonly appMetadata: Fields | null;
  readonly role: string;
  readonly banDuration: string;
}

/** Hashes of other products that sign people in here; they are made anew at the next sign-in. */
export const isImportableHash = (hash: string): boolean => importableHash.test(hash) || isFirebaseHash(hash);

const importableHash = /^\$(?:2[abxy]\$\d\d\$[./A-Za-z0-9]{53}|argon2(?:id|i|d)\$[A-Za-z0-9=,$+/-]{20,200})$/;

/** @param caller `null` for a command of the operator's, here and below */
export async function createUser(context: AuthContext, given: AdminUser, caller: Caller | null = null): Promise<User> {
  const { db } = context;
  if (given.id !== "" && !isUuid(given.id)) throw problems.validationFailed("id must be an UUID");
  if (given.email === "" && given.phone === "") {
    throw problems.validationFailed("Cannot create a user without either an email or phone");
  }
  const id = given.id === "" ? randomUUID() : given.id.toLowerCase();
  const email = given.email === "" ? null : emailOf(given.email);
  const phone = given.phone === "" ? null : phoneOf(given.phone);
  if (email !== null && (await userStore.findByEmail(db, email)) !== null) throw problems.emailExists();
  if (phone !== null && (await userStore.findByPhone(db, phone)) !== null) throw problems.phoneExists();
  const providers = [...(email === null ? [] : ["email"]), ...(phone === null ? [] : ["phone"])];
  const passwordHash = await hashOf(context, given);
  // Before the transaction: the app's hook may take seconds, and no connection is to wait for it.
  const newUser = await admitUser(context, null, {
    id,
    email,
    phone,
    passwordHash,
    role: roleOf(given.role) ?? "authenticated",
    isEmailConfirmed: email !== null && given.emailConfirm,
    isPhoneConfirmed: phone !== null && given.phoneConfirm,
    appMetadata: { ...given.appMetadata, provider: providers[0], providers },
    userMetadata: given.userMetadata ?? {},
    isAnonymous: false,
    bannedSeconds: banSeconds(given.banDuration) ?? null,
  });
  return db.transaction(async (tx) => {
    const isNew = await insertUser(context, tx, null, newUser);
    if (!isNew) throw email === null ? problems.phoneExists() : problems.emailExists();
    await context.audit.record(tx, { action: "user_signedup", userId: id, actor: "service_role", caller });
    return (await findOrThrow(context, id, tx)).user;
  });
}

export async function getUser(context: AuthContext, id: string): Promise<User> {
  return (await findOrThrow(context, id)).user;
}

export function listUsers(
  { db }: AuthContext,
  options: { readonly page: number; readonly perPage: number; readonly filter: string },
): Promise<UserPage> {
  return userStore.list(db, options);
}

/** A new password, a ban or another role ends the user's sessions: their tokens say what no longer holds (threat A22). */
export async function changeUser(
  context: AuthContext,
  id: string,
  given: AdminUser,
  caller: Caller | null = null,
): Promise<User> {
  const { db, settings } = context;
  const { user } = await findOrThrow(context, id);
  const email = given.email === "" ? undefined : emailOf(given.email);
  const phone = given.phone === "" ? undefined : phoneOf(given.phone);
  const passwordHash = await hashOf(context, given);
  const bannedSeconds = banSeconds(given.banDuration);
  const role = roleOf(given.role);
  const patch: UserPatch = {
    ...(email === undefined || email === user.email ? {} : { email, emailChange: "" }),
    ...(phone === undefined || phone === user.phone ? {} : { phone, phoneChange: "" }),
    ...(passwordHash === null ? {} : { passwordHash }),
    ...(given.emailConfirm ? { isEmailConfirmed: true } : {}),
    ...(given.phoneConfirm ? { isPhoneConfirmed: true } : {}),
    ...(given.userMetadata === null ? {} : { userMetadata: given.userMetadata }),
    ...(given.appMetadata === null ? {} : { appMetadata: given.appMetadata }),
    ...(role === undefined ? {} : { role }),
    ...(bannedSeconds === undefined ? {} : { bannedSeconds }),
  };
  await db.transaction(async (tx) => {
    await storePatch(tx, settings, user, patch);
    const isOver = passwordHash !== null || (role !== undefined && role !== user.role) || (bannedSeconds ?? 0) > 0;
    if (isOver) await sessionStore.endAll(tx, user.id);
    // What, not to what: a password is among it.
    const traits = { changed: Object.keys(patch).join(","), sessions_ended: isOver };
    await context.audit.record(tx, { action: "user_modified", userId: user.id, actor: "service_role", caller, traits });
  });
  return (await findOrThrow(context, id)).user;
}

export async function deleteUser(
  context: AuthContext,
  id: string,
  isSoft: boolean,
  caller: Caller | null = null,
): Promise<void> {
  await findOrThrow(context, id);
  await context.db.transaction(async (tx) => {
    if (!isSoft) return void (await eraseAccount(context, tx, id));
    await sessionStore.endAll(tx, id);
    const traits = { soft: true };
    await context.audit.record(tx, { action: "user_deleted", userId: id, actor: "service_role", caller, traits });
    const scrub = (text: string) => createHash("sha256").update(`${id}${text}`).digest("base64url");
    if (!(await userStore.erase(tx, id, scrub))) throw problems.userNotFound();
  });
}

async function findOrThrow({ db }: AuthContext, id: string, tx: Parameters<typeof userStore.findById>[0] = db) {
  if (!isUuid(id)) throw problems.idMalformed("user_id");
  const account = await userStore.findById(tx, id);
  if (account === null) throw problems.userNotFound();
  return account;
}

function emailOf(given: string): string {
  const email = canonicalEmail(given);
  if (email === null) throw problems.validationFailed("Unable to validate email address: invalid format");
  return email;
}

function phoneOf(given: string): string {
  const phone = canonicalPhone(given);
  if (phone === null) throw problems.validationFailed("Invalid phone number format (E.164 required)");
  return phone;
}

/** The database role of the user's tokens. Users are users: the service role is for keys (threat A18, B18). */
function roleOf(given: string): string | undefined {
  if (given === "") return undefined;
  const isRoleName = /^[A-Za-z_][A-Za-z0-9_$-]{0,62}$/.test(given);
  if (!isRoleName || ["service_role", "supabase_admin", "postgres"].includes(given)) {
    throw problems.validationFailed("role is not one a user can have");
  }
  return given;
}

async function hashOf({ passwords }: AuthContext, given: AdminUser): Promise<string | null> {
  if (given.password !== "" && given.passwordHash !== "") {
    throw problems.validationFailed("Only a password or a password hash should be provided");
  }
  if (given.passwordHash !== "") {
    if (!isImportableHash(given.passwordHash)) {
      throw problems.validationFailed("Password hash must be a bcrypt, argon2 or Firebase scrypt hash");
    }
    return given.passwordHash;
  }
  if (given.password === "") return null;
  await passwords.assertStrong(given.password);
  return passwords.hash(given.password);
}

/** A Go duration (`24h`, `1h30m`, `300ms`) in seconds; `null` for `none`, `undefined` for nothing said. */
export function banSeconds(text: string): number | null | undefined {
  if (text === "") return undefined;
  if (text === "none") return null;
  const ms = durationMs(text);
  if (ms === null) {
    throw problems.validationFailed("invalid format for ban duration: must be a duration like 24h, or none");
  }
  // Go's longest duration, some 292 years; PostgreSQL's dates reach further.
  return Math.min(ms / 1_000, 9_223_372_036);
}
