import type { Caller } from "../context.ts";
import { problems } from "../problems.ts";
import { isUuid } from "../request.ts";
import { sessionStore } from "../session-store.ts";
import type { User } from "../user.ts";
import { userStore } from "../user-store.ts";
import { type MfaContext, nameOf, phoneOf } from "./context.ts";
import type { Factor } from "./factor.ts";
import { mfaProblems } from "./problems.ts";
import { factorStore } from "./store.ts";
import { isLast, removeFactor } from "./unenroll.ts";

/** GoTrue's `GET /admin/users/:id/factors`. */
export async function listFactors({ db }: MfaContext, userId: string): Promise<readonly Factor[]> {
  await findUser({ db }, userId);
  return factorStore.list(db, userId);
}

/** GoTrue's `PUT /admin/users/:id/factors/:fid`. Texts are `""` when left out. */
export async function changeFactor(
  { db, audit }: MfaContext,
  userId: string,
  factorId: string,
  given: { readonly friendlyName: string; readonly phone: string },
  caller: Caller,
): Promise<Factor> {
  const user = await findUser({ db }, userId);
  return db.transaction(async (tx) => {
    await userStore.lock(tx, user.id);
    const factor = await findFactor(tx, user.id, factorId);
    const friendlyName = nameOf(given.friendlyName, "friendly_name");
    const phone = given.phone === "" || factor.type !== "phone" ? undefined : phoneOf(given.phone);
    const patch = { ...(friendlyName === "" ? {} : { friendlyName }), ...(phone === undefined ? {} : { phone }) };
    if (!(await factorStore.update(tx, factor.id, patch))) {
      throw mfaProblems.nameConflict(friendlyName === "" ? given.phone : friendlyName);
    }
    const traits = { factor_id: factor.id, factor_type: factor.type };
    await audit.record(tx, { action: "factor_updated", userId: user.id, actor: "service_role", caller, traits });
    return findFactor(tx, user.id, factorId);
  });
}

/**
 * GoTrue's `DELETE /admin/users/:id/factors/:fid`, for somebody who lost it. With a verified one all sessions of the user end, as
 * the clients' documentation has it (supabase-js, deleteFactor): who found it may have the password too (threat A22). With the last factor its recovery codes go too: they stand in for nothing then, and would lock the user in.
 */
export async function deleteFactor(
  context: MfaContext,
  userId: string,
  factorId: string,
  caller: Caller,
): Promise<Factor> {
  const user = await findUser(context, userId);
  return context.db.transaction(async (tx) => {
    await userStore.lock(tx, user.id);
    const factor = await findFactor(tx, user.id, factorId);
    const all = await factorStore.list(tx, user.id);
    const codes = isLast(factor, all) ? all.filter(({ id, type }) => type === "recovery_code" && id !== factor.id) : [];
    for (const one of [factor, ...codes]) {
      await removeFactor(context, tx, user, one, null);
      const traits = { factor_id: one.id, factor_type: one.type };
      const entry = { action: "factor_unenrolled", userId: user.id, actor: "service_role", caller, traits } as const;
      await context.audit.record(tx, entry);
    }
    if (factor.isVerified) await sessionStore.endAll(tx, user.id);
    return factor;
  });
}

async function findUser({ db }: Pick<MfaContext, "db">, id: string): Promise<User> {
  if (!isUuid(id)) throw problems.idMalformed("user_id");
  const account = await userStore.findById(db, id);
  if (account === null) throw problems.userNotFound();
  return account.user;
}

async function findFactor(tx: Parameters<typeof factorStore.find>[0], userId: string, id: string): Promise<Factor> {
  if (!isUuid(id)) throw problems.idMalformed("factor_id");
  const factor = await factorStore.find(tx, userId, id);
  if (factor === null) throw mfaProblems.factorNotFound();
  return factor;
}
