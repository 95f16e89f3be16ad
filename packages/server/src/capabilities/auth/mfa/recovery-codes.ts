import { randomUUID } from "node:crypto";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { sqlStateOf } from "../../../platform/postgres/sql-state.ts";
import type { Caller } from "../context.ts";
import { accountKey } from "../limits/index.ts";
import { noteLocked } from "../protection/note-locked.ts";
import type { Session } from "../user.ts";
import { assertEnrollable, assertVerifiable, type MfaContext, nameOf, type Person } from "./context.ts";
import { assertRoom, holdAccount } from "./enroll.ts";
import { type Factor, methodOf } from "./factor.ts";
import { levelStore } from "./level-store.ts";
import { notice } from "./notice.ts";
import { mfaProblems } from "./problems.ts";
import { raiseSession } from "./raise-session.ts";
import { recoveryStore } from "./recovery-store.ts";
import { canonicalRecoveryCode, newRecoveryCode } from "./secrets.ts";
import { factorStore } from "./store.ts";
import { removeFactor } from "./unenroll.ts";
import { judge } from "./verify.ts";

const type = "recovery_code";
const codesPerSet = 10;
const usualName = "Recovery codes";

/** The set as clients read it. `codes` are there when they are made and never again. */
export interface RecoveryCodes {
  readonly id: string;
  readonly type: typeof type;
  readonly friendly_name: string;
  readonly total: number;
  readonly codes: readonly string[];
}

/** GoTrue's `GET /factors/recovery-codes`. */
export async function recoveryStatus({ db }: MfaContext, { user }: Person) {
  const factor = codesOf(await factorStore.list(db, user.id));
  return { id: factor.id, type, ...(await recoveryStore.count(db, factor.id)) };
}

/** GoTrue's `POST /factors/recovery-codes`: in a session of `aal2`, beside another factor. */
export async function makeRecoveryCodes(
  context: MfaContext,
  { user, session }: Person,
  givenName: string,
  caller: Caller,
): Promise<RecoveryCodes> {
  assertEnrollable(context, type);
  await context.limits.take("mfa", caller.network);
  const friendlyName = nameOf(givenName, "friendly_name") || usualName;
  return context.db.transaction(async (tx) => {
    const { aal } = await holdAccount(tx, user.id, session.id);
    const others = await factorStore.list(tx, user.id);
    if (aal !== "aal2") throw mfaProblems.recoveryCodesNeedAal2();
    if (others.some((other) => other.type === type)) throw mfaProblems.verifiedFactorExists("set of recovery codes");
    if (!others.some((other) => other.isVerified)) {
      throw mfaProblems.recoveryCodesSoleFactor("Recovery codes need another verified factor beside them");
    }
    assertRoom(context, others, friendlyName);
    const factor = { id: randomUUID(), userId: user.id, type, isVerified: true, friendlyName } as const;
    if (!(await create(tx, factor))) throw mfaProblems.nameConflict(friendlyName);
    await notice(context, tx, "mfa_factor_enrolled", user, type);
    return fill(context, tx, { user, session }, factor, caller);
  });
}

/** GoTrue's `POST /factors/recovery-codes/regenerate`: new codes; the old ones, and other sessions raised with them, are over. */
export async function remakeRecoveryCodes(
  context: MfaContext,
  { user, session }: Person,
  caller: Caller,
): Promise<RecoveryCodes> {
  assertEnrollable(context, type);
  await context.limits.take("mfa", caller.network);
  return context.db.transaction(async (tx) => {
    const { aal } = await holdAccount(tx, user.id, session.id);
    const factor = codesOf(await factorStore.list(tx, user.id));
    if (aal !== "aal2") throw mfaProblems.recoveryCodesNeedAal2();
    await levelStore.endRaisedWith(tx, user.id, factor.id, session.id);
    return fill(context, tx, { user, session }, factor, caller);
  });
}

/** GoTrue's `DELETE /factors/recovery-codes`. @returns the factor's id */
export async function removeRecoveryCodes(
  context: MfaContext,
  { user, session }: Person,
  caller: Caller,
): Promise<string> {
  return context.db.transaction(async (tx) => {
    const { aal } = await holdAccount(tx, user.id, session.id);
    const factor = codesOf(await factorStore.list(tx, user.id));
    if (aal !== "aal2") throw mfaProblems.recoveryCodesNeedAal2();
    await removeFactor(context, tx, user, factor, session.id);
    const traits = { factor_id: factor.id, session_id: session.id };
    await context.audit.record(tx, { action: "recovery_codes_deleted", userId: user.id, caller, traits });
    return factor.id;
  });
}

/**
 * GoTrue's `POST /factors/recovery-codes/verify`: a code in place of the factor that is not at hand. Without a set, every code is
 * as wrong as any. The user's other sessions of `aal1` end: whoever comes with a recovery code has lost something.
 */
export async function verifyRecoveryCode(
  context: MfaContext,
  person: Person,
  code: string,
  caller: Caller,
): Promise<Session> {
  const { db, limits, lockout, secrets } = context;
  const { user, session } = person;
  assertVerifiable(context, type);
  await limits.take("mfa", caller.network);
  const attempt = await lockout.enter("code", accountKey(user.id), caller.network);
  const factor = (await factorStore.list(db, user.id)).find((one) => one.type === type);
  const id = factor?.id ?? randomUUID();
  const hash = secrets.hash(`recovery/${id}`, canonicalRecoveryCode(code));
  const isValid = await recoveryStore.isUnused(db, id, hash);
  if (!isValid) await noteLocked(context, attempt, user.id, caller);
  await judge(context, person, { id, type }, isValid, caller);
  const raised = !isValid
    ? null
    : await db.transaction(async (tx) => {
        await holdAccount(tx, user.id, session.id);
        if (!(await recoveryStore.use(tx, id, hash))) return null;
        await levelStore.endBelowAal2(tx, user.id, session.id);
        await context.audit.record(tx, {
          action: "mfa_code_login",
          userId: user.id,
          caller,
          traits: { factor_id: id },
        });
        return raiseSession(context, tx, { session, user, method: methodOf[type], factorId: id, caller });
      });
  if (raised === null) throw mfaProblems.verificationFailed("Invalid recovery code entered");
  await attempt.succeeded();
  return raised;
}

/** @throws Problem 404 when there is none */
function codesOf(factors: readonly Factor[]): Factor {
  const factor = factors.find((one) => one.type === type);
  if (factor === undefined) throw mfaProblems.recoveryCodesNotFound();
  return factor;
}

/** @throws Problem 422 in a database whose type of factors is not ours to alter, and does not know this kind */
function create(tx: Queryable, factor: Parameters<typeof factorStore.create>[1]): Promise<boolean> {
  return factorStore.create(tx, factor).catch((error: unknown) => {
    const isUnknownKind = sqlStateOf(error) === "22P02";
    throw isUnknownKind ? mfaProblems.recoveryCodesEnrollDisabled() : error;
  });
}

async function fill(
  { secrets, audit }: MfaContext,
  tx: Queryable,
  { user, session }: Person,
  factor: Pick<Factor, "id" | "friendlyName">,
  caller: Caller,
): Promise<RecoveryCodes> {
  const codes = Array.from({ length: codesPerSet }, newRecoveryCode);
  const hashes = codes.map((code) => secrets.hash(`recovery/${factor.id}`, code));
  await recoveryStore.replace(tx, factor.id, hashes);
  const traits = { factor_id: factor.id, session_id: session.id };
  await audit.record(tx, { action: "generate_recovery_codes", userId: user.id, caller, traits });
  return { id: factor.id, type, friendly_name: factor.friendlyName, total: codes.length, codes };
}
