import { type Call, json, type Route } from "../../kernel/route.ts";
import type { Values } from "../../kernel/settings.ts";
import { callerOf } from "./caller.ts";
import type { AdminUser } from "./flows/admin-users.ts";
import { pageHeaders, pageOf } from "./paging.ts";
import { bodyLimitBytes, isPrivate } from "./reply.ts";
import { type Fields, flagField, objectField, readFields, readOptionalFields, textField } from "./request.ts";
import type { AuthService } from "./service.ts";
import type { authSettings } from "./settings.ts";
import { userJson } from "./user.ts";

/** GoTrue's `/admin/users`: for the service role only. */
export function adminRoutes(auth: AuthService, settings: Values<typeof authSettings>): readonly Route[] {
  const adminUserOf = (fields: Fields): AdminUser => ({
    id: textField(fields, "id"),
    email: textField(fields, "email"),
    phone: textField(fields, "phone"),
    password: textField(fields, "password"),
    passwordHash: textField(fields, "password_hash"),
    emailConfirm: flagField(fields, "email_confirm") ?? false,
    phoneConfirm: flagField(fields, "phone_confirm") ?? false,
    userMetadata: objectField(fields, "user_metadata", settings.metadataMaxBytes),
    appMetadata: objectField(fields, "app_metadata", settings.metadataMaxBytes),
    role: textField(fields, "role"),
    banDuration: textField(fields, "ban_duration"),
  });

  return [
    {
      method: "GET",
      path: "/admin/users",
      access: "service",
      summary: "All users, newest first, a page at a time.",
      async handle(call) {
        const query = new URLSearchParams(call.query);
        const page = pageOf(query);
        const filter = query.get("filter") ?? "";
        const { users, total } = await auth.listUsers({ ...page, filter });
        const body = { users: users.map(userJson), aud: "authenticated" };
        return json(body, 200, [...isPrivate, ...pageHeaders("/admin/users", page, total)]);
      },
    },
    {
      method: "POST",
      path: "/admin/users",
      access: "service",
      summary: "Make a user.",
      bodyLimitBytes,
      async handle(call) {
        return json(
          userJson(await auth.createUser(adminUserOf(await readFields(call)), callerOf(call))),
          200,
          isPrivate,
        );
      },
    },
    {
      method: "GET",
      path: "/admin/users/:id",
      access: "service",
      summary: "One user.",
      async handle(call) {
        return json(userJson(await auth.getUser(idOf(call))), 200, isPrivate);
      },
    },
    {
      method: "PUT",
      path: "/admin/users/:id",
      access: "service",
      summary: "Change a user.",
      bodyLimitBytes,
      async handle(call) {
        const given = adminUserOf(await readFields(call));
        return json(userJson(await auth.changeUser(idOf(call), given, callerOf(call))), 200, isPrivate);
      },
    },
    {
      method: "DELETE",
      path: "/admin/users/:id",
      access: "service",
      summary: "Delete a user, or empty the account and keep its row.",
      bodyLimitBytes,
      async handle(call) {
        const fields = await readOptionalFields(call);
        await auth.deleteUser(idOf(call), flagField(fields, "should_soft_delete") ?? false, callerOf(call));
        return json({}, 200, isPrivate);
      },
    },
  ];
}

const idOf = (call: Call): string => call.params.id ?? "";
