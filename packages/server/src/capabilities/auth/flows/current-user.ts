import type { Principal } from "../../../kernel/principal.ts";
import type { AuthContext } from "../context.ts";
import { problems } from "../problems.ts";
import { isUuid } from "../request.ts";
import { type SessionRow, sessionStore } from "../session-store.ts";
import { type Account, userStore } from "../user-store.ts";

export interface CurrentUser extends Account {
  /** `null` for a token that names none: one minted by whoever has the signing key. */
  readonly session: SessionRow | null;
}

/**
 * The user behind a bearer token, checked against the database: a token outlives its session, its user and a ban by up to
 * an hour, and these calls must not (threat A22).
 */
export async function currentUser({ db }: AuthContext, who: Principal, hasBearer: boolean): Promise<CurrentUser> {
  if (!hasBearer) throw problems.noAuthorization();
  if (who.subject === null || !isUuid(who.subject)) throw problems.tokenWithoutSubject();
  const account = await userStore.findById(db, who.subject);
  if (account === null || account.user.deletedAt !== null) throw problems.userOfTokenNotFound();
  if (account.user.isBanned) throw problems.userBanned(403);
  const sessionId = who.claims.session_id;
  if (sessionId === undefined || sessionId === null || sessionId === "") return { ...account, session: null };
  const session = typeof sessionId === "string" && isUuid(sessionId) ? await sessionStore.find(db, sessionId) : null;
  if (session === null || session.userId !== account.user.id) throw problems.sessionNotFound();
  if (session.isOver) throw problems.sessionExpired(403);
  return { ...account, session };
}
