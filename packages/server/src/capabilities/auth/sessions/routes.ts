import { type Call, empty, json, type Route } from "../../../kernel/route.ts";
import { callerOf } from "../caller.ts";
import type { AuthContext } from "../context.ts";
import { currentUser } from "../flows/current-user.ts";
import { problems } from "../problems.ts";
import { isPrivate } from "../reply.ts";
import { hasBearer, isUuid } from "../request.ts";
import { sessionStore } from "../session-store.ts";
import { userStore } from "../user-store.ts";
import { sessionProblems } from "./problems.ts";
import { type ListedSession, lifetimesOf, sessionListStore } from "./store.ts";

/** Where a user is signed in, and how to end it from elsewhere: a lost phone, for instance. */
export function sessionRoutes(context: AuthContext): readonly Route[] {
  const { db, audit, settings } = context;
  const lifetimes = lifetimesOf(settings);

  return [
    {
      method: "GET",
      path: "/user/sessions",
      access: "caller",
      summary: "Where one is signed in.",
      async handle(call) {
        const { user, session } = await currentUser(context, call.who, hasBearer(call));
        const sessions = await sessionListStore.list(db, user.id, lifetimes);
        return json(
          sessions.map((each) => ({ ...sessionJson(each), is_current: each.id === session?.id })),
          200,
          isPrivate,
        );
      },
    },
    {
      method: "DELETE",
      path: "/user/sessions/:id",
      access: "caller",
      summary: "End one of one's own sessions.",
      async handle(call) {
        const { user } = await currentUser(context, call.who, hasBearer(call));
        const id = idOf(call, "id");
        await db.transaction(async (tx) => {
          if (!(await sessionListStore.end(tx, user.id, id))) throw sessionProblems.unknownSession();
          const traits = { session_id: id };
          await audit.record(tx, { action: "token_revoked", userId: user.id, caller: callerOf(call), traits });
        });
        return empty(204, isPrivate);
      },
    },
    {
      method: "GET",
      path: "/admin/users/:id/sessions",
      access: "service",
      summary: "Where a user is signed in.",
      async handle(call) {
        const userId = await userIdOf(call);
        return json((await sessionListStore.list(db, userId, lifetimes)).map(sessionJson), 200, isPrivate);
      },
    },
    {
      method: "DELETE",
      path: "/admin/users/:id/sessions",
      access: "service",
      summary: "Sign a user out everywhere.",
      async handle(call) {
        const userId = await userIdOf(call);
        await db.transaction(async (tx) => {
          await sessionStore.endAll(tx, userId);
          await recordAdmin(call, tx, userId, {});
        });
        return empty(204, isPrivate);
      },
    },
    {
      method: "DELETE",
      path: "/admin/users/:id/sessions/:session",
      access: "service",
      summary: "End one session of a user.",
      async handle(call) {
        const userId = await userIdOf(call);
        const id = idOf(call, "session");
        await db.transaction(async (tx) => {
          if (!(await sessionListStore.end(tx, userId, id))) throw sessionProblems.unknownSession();
          await recordAdmin(call, tx, userId, { session_id: id });
        });
        return empty(204, isPrivate);
      },
    },
  ];

  function recordAdmin(
    call: Call,
    tx: Parameters<typeof audit.record>[0],
    userId: string,
    traits: Record<string, string>,
  ) {
    return audit.record(tx, {
      action: "token_revoked",
      userId,
      actor: "service_role",
      caller: callerOf(call),
      traits,
    });
  }

  async function userIdOf(call: Call): Promise<string> {
    const id = call.params.id ?? "";
    if (!isUuid(id)) throw problems.idMalformed("user_id");
    if ((await userStore.findById(db, id)) === null) throw problems.userNotFound();
    return id;
  }
}

function idOf(call: Call, name: string): string {
  const id = call.params[name] ?? "";
  if (!isUuid(id)) throw problems.idMalformed("session_id");
  return id.toLowerCase();
}

const sessionJson = (session: ListedSession) => ({
  id: session.id,
  created_at: session.createdAt,
  refreshed_at: session.refreshedAt,
  not_after: session.notAfter,
  user_agent: session.userAgent,
  ip: session.ip,
  aal: session.aal,
  tag: session.tag,
});
