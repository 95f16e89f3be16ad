import type { AuthContext, Caller } from "../context.ts";
import { problems } from "../problems.ts";
import { sessionStore } from "../session-store.ts";
import type { CurrentUser } from "./current-user.ts";

/** Supabase docs, Signing out: `global` ends all sessions, `local` this one, `others` all but this one. */
export async function logout(
  context: AuthContext,
  { user, session }: CurrentUser,
  scope: string,
  caller: Caller,
): Promise<void> {
  const { db } = context;
  switch (scope) {
    case "global":
      await sessionStore.endAll(db, user.id);
      break;
    case "local":
      if (session !== null) await sessionStore.end(db, session.id);
      break;
    case "others":
      await sessionStore.endAll(db, user.id, session?.id ?? null);
      break;
    default:
      throw problems.validationFailed(`Unsupported logout scope "${scope.slice(0, 32)}"`);
  }
  await context.audit.record(db, { action: "logout", userId: user.id, caller, traits: { scope } });
}
