import { type CorsPolicy, json, type Reply } from "../../kernel/route.ts";
import { type Session, sessionJson } from "./user.ts";

/** What GoTrue reads of a body at most, in bytes. */
export const bodyLimitBytes = 1_048_576;

/** Answers with a person or a token in them are nobody else's to keep (threat X06). */
export const isPrivate = ["Cache-Control", "private, no-store"];

export const authCors: CorsPolicy = {
  allowMethods: "GET, POST, PUT, PATCH, DELETE",
  allowHeaders:
    "accept, authorization, content-type, x-client-ip, x-client-info, x-jwt-aud, x-use-cookie, x-supabase-api-version, apikey",
  // GoTrue's three, and what says why a call was refused and when to come again.
  exposeHeaders:
    "X-Total-Count, Link, X-Supabase-Api-Version, X-Sb-Error-Code, Retry-After, RateLimit, RateLimit-Policy, X-Request-Id",
  maxAgeSeconds: 3_600,
};

/** Signs the caller in. GoTrue names the two in headers too, for whoever stands between. */
export function replyWithSession(session: Session, settings: { readonly accessTokenSeconds: number }): Reply {
  const ids = ["sb-auth-user-id", session.user.id, "sb-auth-session-id", session.id];
  return json(sessionJson(session, settings.accessTokenSeconds), 200, [...isPrivate, ...ids]);
}
