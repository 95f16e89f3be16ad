import { type Call, json, type Reply, type Route } from "../../../kernel/route.ts";
import { callerOf } from "../caller.ts";
import type { AuthContext } from "../context.ts";
import { getUser } from "../flows/admin-users.ts";
import { type CurrentUser, currentUser } from "../flows/current-user.ts";
import { problems } from "../problems.ts";
import { bodyLimitBytes, isPrivate } from "../reply.ts";
import { hasBearer, isUuid, readOptionalFields, textField } from "../request.ts";
import { sessionStore } from "../session-store.ts";
import { eraseAccount } from "./erase.ts";
import { createExports } from "./export.ts";
import { assertProven } from "./proof.ts";
import { accountStore } from "./store.ts";

/** What app stores ask of every app with accounts: that users can see what there is of them, and leave. */
export function accountRoutes(context: AuthContext): readonly Route[] {
  const { db, settings, audit } = context;
  const startExport = createExports(context);

  const current = (call: Call): Promise<CurrentUser> => currentUser(context, call.who, hasBearer(call));
  /** Who it is comes before what is asked, and what they can prove before what is done (threat A17). */
  const proven = async (call: Call): Promise<CurrentUser> => {
    const user = await current(call);
    const fields = await readOptionalFields(call);
    const proof = { password: textField(fields, "password"), nonce: textField(fields, "nonce") };
    await assertProven(context, user, proof, callerOf(call));
    return user;
  };
  const preview = async (userId: string): Promise<Reply> => {
    const rows = await db.transaction((tx) => accountStore.plan(tx, userId, settings.accountErasedTables));
    const isBlocked = rows.some(({ action }) => action === "block");
    return json({ dry_run: true, is_blocked: isBlocked, grace_days: settings.accountGraceDays, rows }, 200, isPrivate);
  };
  const exported = async (call: Call, userId: string): Promise<Reply> => {
    const document = await startExport(userId, call.signal);
    if (document === null) throw problems.userNotFound();
    const actor = call.who.role === "service_role" ? { actor: "service_role" as const } : {};
    await audit.record(db, { action: "user_exported", userId, caller: callerOf(call), ...actor });
    const headers = ["Content-Type", "application/json; charset=utf-8", ...isPrivate];
    const name = ["Content-Disposition", `attachment; filename="account-${userId}.json"`];
    return { status: 200, headers: [...headers, ...name], body: document.chunks };
  };
  const idOf = (call: Call): string => {
    const id = call.params.id ?? "";
    if (!isUuid(id)) throw problems.idMalformed("user_id");
    return id.toLowerCase();
  };

  return [
    {
      method: "GET",
      path: "/user/deletion-preview",
      access: "caller",
      summary: "What deleting one's account would take along, by table.",
      handle: async (call) => preview((await current(call)).user.id),
    },
    {
      method: ["GET", "POST"],
      path: "/user/export",
      access: "caller",
      summary: "Everything there is of the signed-in user, as a JSON document.",
      bodyLimitBytes,
      handle: async (call) => exported(call, (await proven(call)).user.id),
    },
    {
      method: "DELETE",
      path: "/user",
      access: "caller",
      summary: "Delete one's own account, and what is one's own.",
      bodyLimitBytes,
      async handle(call) {
        const { user } = await proven(call);
        if (settings.accountGraceDays === 0) {
          const rows = await db.transaction((tx) => eraseAccount(context, tx, user.id));
          return json({ status: "deleted", rows }, 200, isPrivate);
        }
        const dueAt = await db.transaction(async (tx) => {
          await sessionStore.endAll(tx, user.id);
          await audit.record(tx, { action: "user_deleted", userId: user.id, caller: callerOf(call) });
          return accountStore.request(tx, user.id, settings.accountGraceDays);
        });
        return json({ status: "scheduled", due_at: dueAt }, 202, isPrivate);
      },
    },
    {
      method: "GET",
      path: "/admin/users/:id/deletion-preview",
      access: "service",
      summary: "What deleting a user would take along, by table.",
      async handle(call) {
        return preview((await getUser(context, idOf(call))).id);
      },
    },
    {
      method: "GET",
      path: "/admin/users/:id/export",
      access: "service",
      summary: "Everything there is of a user, as a JSON document.",
      handle: (call) => exported(call, idOf(call)),
    },
  ];
}
