import { randomUUID } from "node:crypto";
import { renderSVG } from "uqr";
import type { Queryable } from "../../../platform/postgres/database.ts";
import type { Caller } from "../context.ts";
import { appNameOf } from "../mail/data.ts";
import { problems } from "../problems.ts";
import { userStore } from "../user-store.ts";
import { assertEnrollable, type MfaContext, nameOf, type Person, phoneOf } from "./context.ts";
import type { Factor, FactorType } from "./factor.ts";
import { mfaProblems } from "./problems.ts";
import { holdSession } from "./raise-session.ts";
import { factorStore, type NewFactor } from "./store.ts";
import { newTotpSecret, totpUri } from "./totp.ts";

/** GoTrue's `POST /factors`. Texts are `""` when left out. */
export interface Enrollment {
  readonly type: string;
  readonly friendlyName: string;
  readonly issuer: string;
  readonly phone: string;
}

/**
 * Adds a factor that is not verified yet. A user who has a verified one adds another only in a session that showed it:
 * else whoever has the password alone would add their own (threat A23). @returns the answer on the wire
 */
export async function enrollFactor(
  context: MfaContext,
  person: Person,
  given: Enrollment,
  caller: Caller,
): Promise<Record<string, unknown>> {
  const type = typeOf(given.type);
  assertEnrollable(context, type);
  await context.limits.take("mfa", caller.network);
  const friendlyName = nameOf(given.friendlyName, "friendly_name");
  const factor = { id: randomUUID(), userId: person.user.id, type, friendlyName };
  const answer = { id: factor.id, type, friendly_name: friendlyName };
  switch (type) {
    case "totp": {
      const secret = newTotpSecret();
      const issuer = nameOf(given.issuer, "issuer") || appNameOf(context.settings);
      const { user } = person;
      const uri = totpUri({ issuer, account: user.email || user.phone || user.id, secret });
      await store(context, person, { ...factor, storedSecret: context.secrets.seal(factor.id, secret) }, caller);
      return { ...answer, totp: { qr_code: renderSVG(uri, { ecc: "M", border: 4 }), secret, uri } };
    }
    case "phone": {
      if (given.phone === "") throw problems.validationFailed("Phone number required to enroll Phone factor");
      await store(context, person, { ...factor, phone: phoneOf(given.phone) }, caller);
      return { ...answer, phone: given.phone };
    }
    case "webauthn":
      await store(context, person, factor, caller);
      return answer;
  }
}

function typeOf(text: string): Exclude<FactorType, "recovery_code"> {
  if (text === "totp" || text === "phone" || text === "webauthn") return text;
  throw problems.validationFailed("factor_type needs to be totp, phone, or webauthn");
}

async function store(context: MfaContext, { user, session }: Person, factor: NewFactor, caller: Caller): Promise<void> {
  const { db, settings, audit } = context;
  await db.transaction(async (tx) => {
    const { aal } = await holdAccount(tx, user.id, session.id);
    await factorStore.removeStale(tx, user.id, settings.mfaFactorSeconds, settings.mfaChallengeSeconds);
    const others = await makeRoom(tx, factor, await factorStore.list(tx, user.id));
    assertRoom(context, others, factor.friendlyName);
    if (others.some((other) => other.isVerified) && aal !== "aal2") throw mfaProblems.enrollNeedsAal2();
    if (!(await factorStore.create(tx, factor))) throw mfaProblems.nameConflict(factor.friendlyName);
    const traits = { factor_id: factor.id, factor_type: factor.type };
    await audit.record(tx, { action: "factor_in_progress", userId: user.id, caller, traits });
  });
}

/**
 * The user and the session, kept as they are until the transaction ends, in the order everybody takes them in.
 * @throws Problem when one of them is gone
 */
export async function holdAccount(tx: Queryable, userId: string, sessionId: string) {
  if (!(await userStore.lock(tx, userId))) throw problems.userOfTokenNotFound();
  return holdSession(tx, sessionId, userId);
}

/** @throws Problem 422 when the user has as many factors as there may be, or one of this name */
export function assertRoom({ settings }: MfaContext, others: readonly Factor[], friendlyName: string): void {
  if (friendlyName !== "" && others.some((other) => other.friendlyName === friendlyName)) {
    throw mfaProblems.nameConflict(friendlyName);
  }
  const verified = others.filter((other) => other.isVerified).length;
  if (others.length >= settings.mfaMaxFactors || verified >= settings.mfaMaxVerifiedFactors) {
    throw mfaProblems.tooManyFactors();
  }
}

/** A number that was added and not verified is added anew. @returns the factors that are left */
async function makeRoom(tx: Queryable, factor: NewFactor, all: readonly Factor[]): Promise<readonly Factor[]> {
  const same = factor.phone === undefined ? undefined : all.find((other) => other.phone === factor.phone);
  if (same === undefined) return all;
  if (same.isVerified) throw mfaProblems.verifiedFactorExists("phone factor");
  await factorStore.remove(tx, same.id);
  return all.filter((other) => other !== same);
}

/** Whom the code is for, as the app shows it. */
