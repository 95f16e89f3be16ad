import { json, type Route } from "../../../kernel/route.ts";
import { callerOf } from "../caller.ts";
import { bodyLimitBytes, isPrivate } from "../reply.ts";
import { readFields, textField } from "../request.ts";
import { changeFactor, deleteFactor, listFactors } from "./admin.ts";
import type { MfaContext } from "./context.ts";
import { factorJson } from "./factor.ts";

/** GoTrue's `/admin/users/:id/factors`: for the service role only. */
export function mfaAdminRoutes(context: MfaContext): readonly Route[] {
  return [
    {
      method: "GET",
      path: "/admin/users/:id/factors",
      access: "service",
      summary: "A user's second factors, oldest first.",
      async handle({ params }) {
        return json((await listFactors(context, params.id ?? "")).map(factorJson), 200, isPrivate);
      },
    },
    {
      method: "PUT",
      path: "/admin/users/:id/factors/:fid",
      access: "service",
      summary: "Change the name or the number of a user's second factor.",
      bodyLimitBytes,
      async handle(call) {
        const fields = await readFields(call);
        const given = { friendlyName: textField(fields, "friendly_name"), phone: textField(fields, "phone") };
        const { id = "", fid = "" } = call.params;
        return json(factorJson(await changeFactor(context, id, fid, given, callerOf(call))), 200, isPrivate);
      },
    },
    {
      method: "DELETE",
      path: "/admin/users/:id/factors/:fid",
      access: "service",
      summary: "Take a second factor away from a user who lost it.",
      bodyLimitBytes,
      async handle(call) {
        const { id = "", fid = "" } = call.params;
        return json(factorJson(await deleteFactor(context, id, fid, callerOf(call))), 200, isPrivate);
      },
    },
  ];
}
