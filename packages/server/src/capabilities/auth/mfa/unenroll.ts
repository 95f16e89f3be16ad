import type { Queryable } from "../../../platform/postgres/database.ts";
import type { Caller } from "../context.ts";
import { problems } from "../problems.ts";
import type { User } from "../user.ts";
import type { MfaContext, Person } from "./context.ts";
import { holdAccount } from "./enroll.ts";
import type { Factor } from "./factor.ts";
import { levelStore } from "./level-store.ts";
import { notice } from "./notice.ts";
import { mfaProblems } from "./problems.ts";
import { factorStore } from "./store.ts";

/**
 * GoTrue's `DELETE /factors/:id`. A verified factor goes only in a session that showed one (threat A23). Sessions raised with it
 * end, except the caller's, which falls to `aal1` (threat A22).
 */
export async function unenrollFactor(
  context: MfaContext,
  { user, session }: Person,
  factorId: string,
  caller: Caller,
): Promise<void> {
  await context.db.transaction(async (tx) => {
    const { aal } = await holdAccount(tx, user.id, session.id);
    const factors = await factorStore.list(tx, user.id);
    const factor = factors.find(({ id }) => id === factorId);
    if (factor === undefined) throw mfaProblems.factorNotFound();
    if (factor.type === "recovery_code") {
      throw problems.validationFailed(
        "Recovery codes cannot be unenrolled with this endpoint, use DELETE /factors/recovery-codes",
      );
    }
    if (factor.isVerified && aal !== "aal2") throw mfaProblems.unenrollNeedsAal2();
    if (isLast(factor, factors) && factors.some(({ type }) => type === "recovery_code")) {
      throw mfaProblems.recoveryCodesSoleFactor(
        "Recovery codes cannot be the only factor: remove them first, with DELETE /factors/recovery-codes",
      );
    }
    await removeFactor(context, tx, user, factor, session.id);
    const traits = { factor_id: factor.id, factor_type: factor.type, session_id: session.id };
    await context.audit.record(tx, { action: "factor_unenrolled", userId: user.id, caller, traits });
  });
}

/** Whether it is the only verified factor that is no set of recovery codes. */
export const isLast = (factor: Factor, all: readonly Factor[]): boolean =>
  factor.isVerified &&
  !all.some(({ id, type, isVerified }) => isVerified && type !== "recovery_code" && id !== factor.id);

/** @param staysId the session that falls to `aal1` instead of ending, `null` for none */
export async function removeFactor(
  context: MfaContext,
  tx: Queryable,
  user: User,
  factor: Factor,
  staysId: string | null,
): Promise<void> {
  await factorStore.remove(tx, factor.id);
  await levelStore.endRaisedWith(tx, user.id, factor.id, staysId);
  if (staysId !== null) await levelStore.lower(tx, staysId, factor.id, context.settings.sessionAal1Seconds);
  if (factor.isVerified) await notice(context, tx, "mfa_factor_unenrolled", user, factor.type);
}
