import { type Call, empty, json, type Reply, type Route } from "../../kernel/route.ts";
import { adminRoutes } from "./admin-routes.ts";
import { callerOf } from "./caller.ts";
import type { AuthContext } from "./context.ts";
import { channelOf, destinationOf } from "./one-time/fields.ts";
import type { Grant } from "./part.ts";
import { problems } from "./problems.ts";
import { bodyLimitBytes, isPrivate, replyWithSession } from "./reply.ts";
import { hasBearer, objectField, readFields, textField } from "./request.ts";
import { createAuthService } from "./service.ts";
import { type Session, userJson } from "./user.ts";

/** @param grants The rooms' ways to a session, by `grant_type` */
export function authRoutes(context: AuthContext, grants: ReadonlyMap<string, Grant>): readonly Route[] {
  const { settings } = context;
  const auth = createAuthService(context);
  const sessionReply = (session: Session): Reply => replyWithSession(session, settings);
  const current = (call: Call) => auth.currentUser(call.who, hasBearer(call));

  return [
    {
      method: "POST",
      path: "/signup",
      access: "key",
      summary: "Make an account, or sign in anonymously.",
      bodyLimitBytes,
      async handle(call) {
        const fields = await readFields(call);
        await context.captcha.check(fields, callerOf(call));
        const [email, phone] = [textField(fields, "email"), textField(fields, "phone")];
        const data = objectField(fields, "data", settings.metadataMaxBytes) ?? {};
        if (email === "" && phone === "") return sessionReply(await auth.signInAnonymously(data, callerOf(call)));
        const request = {
          email,
          phone,
          password: textField(fields, "password"),
          data,
          channel: channelOf(fields),
          destination: destinationOf(settings, call, fields),
        };
        const made = await auth.signUp(request, callerOf(call));
        return "session" in made ? sessionReply(made.session) : json(userJson(made.user), 200, isPrivate);
      },
    },
    {
      method: "POST",
      path: "/token",
      access: "key",
      summary: "Sign in with a password, or refresh a session.",
      bodyLimitBytes,
      async handle(call) {
        const type = new URLSearchParams(call.query).get("grant_type") ?? "";
        switch (type) {
          case "password": {
            const fields = await readFields(call);
            await context.captcha.check(fields, callerOf(call));
            const grant = {
              email: textField(fields, "email"),
              phone: textField(fields, "phone"),
              password: textField(fields, "password"),
            };
            return sessionReply(await auth.signInWithPassword(grant, callerOf(call)));
          }
          case "refresh_token": {
            const fields = await readFields(call);
            return sessionReply(await auth.refresh(textField(fields, "refresh_token"), callerOf(call)));
          }
          default: {
            const grant = grants.get(type);
            if (grant === undefined) throw problems.unsupportedGrant();
            return sessionReply(await grant(await readFields(call), call));
          }
        }
      },
    },
    {
      method: "GET",
      path: "/user",
      access: "caller",
      summary: "The signed-in user.",
      async handle(call) {
        return json(userJson((await current(call)).user), 200, isPrivate);
      },
    },
    {
      method: "PUT",
      path: "/user",
      access: "caller",
      summary: "Change one's own address, password or metadata.",
      bodyLimitBytes,
      async handle(call) {
        // Who it is comes before what is asked: a stranger learns nothing from the checks (threat A17).
        const user = await current(call);
        const fields = await readFields(call);
        if (objectField(fields, "app_metadata", bodyLimitBytes) !== null) {
          throw problems.notAdmin("Updating app_metadata requires admin privileges");
        }
        const update = {
          email: textField(fields, "email"),
          phone: textField(fields, "phone"),
          password: textField(fields, "password"),
          currentPassword: textField(fields, "current_password"),
          nonce: textField(fields, "nonce"),
          data: objectField(fields, "data", settings.metadataMaxBytes),
          channel: channelOf(fields),
          destination: destinationOf(settings, call, fields),
        };
        return json(userJson(await auth.updateUser(user, update, callerOf(call))), 200, isPrivate);
      },
    },
    {
      method: "POST",
      path: "/logout",
      access: "caller",
      summary: "End this session, the others, or all.",
      bodyLimitBytes,
      async handle(call) {
        const scope = new URLSearchParams(call.query).get("scope") || "global";
        await auth.logout(await current(call), scope, callerOf(call));
        return empty(204, isPrivate);
      },
    },
    ...adminRoutes(auth, settings),
  ];
}
