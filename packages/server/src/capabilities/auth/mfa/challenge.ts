import { randomUUID } from "node:crypto";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { sqlStateOf } from "../../../platform/postgres/sql-state.ts";
import type { Caller } from "../context.ts";
import { accountKey } from "../limits/index.ts";
import { problems } from "../problems.ts";
import { testOtpOf } from "../sms/test-numbers.ts";
import { beginCreation, beginRequest, type Credential } from "../webauthn/ceremonies.ts";
import { passkeyStore } from "../webauthn/store.ts";
import { readCredential } from "../webauthn/stored-credential.ts";
import { challengeStore } from "./challenge-store.ts";
import { assertVerifiable, type MfaContext, type Person } from "./context.ts";
import { type Factor, isBeyond } from "./factor.ts";
import { mfaProblems } from "./problems.ts";
import { newDigits } from "./secrets.ts";
import { factorStore } from "./store.ts";

/** What one kind of factor adds to a challenge. */
interface Beginning {
  readonly id: string;
  readonly codeHash?: string;
  readonly ceremony?: unknown;
  /** Fields of the answer. */
  readonly wire?: Readonly<Record<string, unknown>>;
  /** Runs with the challenge or not at all. */
  readonly send?: (tx: Queryable) => Promise<unknown>;
}

/** GoTrue's `POST /factors/:id/challenge`. @param channel `""` for the usual one @returns the answer on the wire */
export async function challengeFactor(
  context: MfaContext,
  person: Person,
  factorId: string,
  channel: string,
  caller: Caller,
): Promise<Record<string, unknown>> {
  const { db, limits, settings, audit } = context;
  await limits.take("mfa", caller.network);
  const factors = await factorStore.list(db, person.user.id);
  const factor = factors.find(({ id }) => id === factorId);
  if (factor === undefined) throw mfaProblems.factorNotFound();
  assertVerifiable(context, factor.type);
  if (isBeyond(factor, factors, person.session.aal)) throw mfaProblems.enrollNeedsAal2();
  const { id, codeHash, ceremony, wire, send } = await beginningOf(context, person, factor, factors, channel);

  const lifeSeconds = settings.mfaChallengeSeconds;
  const endsAt = await onceMore(() =>
    db.transaction(async (tx) => {
      const ends = await challengeStore.create(tx, {
        id,
        factorId: factor.id,
        ip: caller.ip,
        lifeSeconds,
        ...(codeHash === undefined ? {} : { codeHash }),
        ...(ceremony === undefined ? {} : { ceremony }),
      });
      if (ends === null) throw mfaProblems.factorNotFound();
      const traits = { factor_id: factor.id, factor_status: factor.isVerified ? "verified" : "unverified" };
      await audit.record(tx, { action: "challenge_created", userId: person.user.id, caller, traits });
      await send?.(tx);
      return ends;
    }),
  );
  return { id, type: factor.type, expires_at: endsAt, ...wire };
}

async function beginningOf(
  context: MfaContext,
  person: Person,
  factor: Factor,
  factors: readonly Factor[],
  channel: string,
): Promise<Beginning> {
  const id = randomUUID();
  switch (factor.type) {
    case "totp":
      return { id };
    case "phone":
      return sendCode(context, person, factor.phone ?? "", id, channel);
    case "webauthn":
      return factor.isVerified ? request(context, id, factor) : creation(context, person, id, factors);
    case "recovery_code":
      throw problems.validationFailed("factor_type needs to be totp, phone, or webauthn");
  }
}

/** A number of the stores' reviewers has a fixed code: nothing is sent, and nothing counted. */
async function sendCode(
  { settings, clock, limits, secrets, messages }: MfaContext,
  { user }: Person,
  phone: string,
  id: string,
  channel: string,
): Promise<Beginning> {
  if (channel !== "" && channel !== "sms" && channel !== "whatsapp") {
    throw problems.validationFailed("Invalid channel, supported values are 'sms' or 'whatsapp'.");
  }
  const fixed = testOtpOf(settings, phone, clock.nowMs());
  if (fixed !== null) return { id, codeHash: secrets.hash(scopeOf(id), fixed) };
  await limits.take("smsTo", accountKey(phone));
  await limits.take("sms", "");
  const otp = newDigits(settings.mfaPhoneOtpLength);
  const sms = { purpose: "mfa", to: phone, otp, channel: channel || "sms", user } as const;
  return { id, codeHash: secrets.hash(scopeOf(id), otp), send: (tx) => messages.sms(tx, sms) };
}

/** A code is for one challenge (threat A11). */
export const scopeOf = (challengeId: string): string => `challenge/${challengeId}`;

async function creation(
  context: MfaContext,
  { user }: Person,
  id: string,
  factors: readonly Factor[],
): Promise<Beginning> {
  const passkeys = (await passkeyStore.list(context.db, user.id)).map(({ credential }) => credential);
  const keys = factors.map(credentialOf).filter((credential) => credential !== null);
  const { options, state } = await beginCreation(context, {
    user,
    purpose: "factor",
    excluded: [...passkeys, ...keys],
  });
  return { id, ceremony: state, wire: { webauthn: { type: "create", credential_options: { publicKey: options } } } };
}

async function request(context: MfaContext, id: string, factor: Factor): Promise<Beginning> {
  const credential = credentialOf(factor);
  if (credential === null) throw mfaProblems.secretUnreadable();
  const { options, state } = await beginRequest(context, { purpose: "factor", credentials: [credential] });
  return { id, ceremony: state, wire: { webauthn: { type: "request", credential_options: { publicKey: options } } } };
}

/** `null` until the key was created. */
export function credentialOf({ type, credential }: Pick<Factor, "type" | "credential">): Credential | null {
  return type === "webauthn" ? readCredential(credential) : null;
}

/** GoTrue's table wants the times of all challenges to differ: two in one microsecond, and one of them is asked for again. */
async function onceMore<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const isTaken = sqlStateOf(error) === "23505";
    if (!isTaken) throw error;
    return work();
  }
}
