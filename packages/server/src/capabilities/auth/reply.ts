import type { CorsPolicy } from "../../kernel/route.ts";

/** What GoTrue reads of a body at most, in bytes. */
export const bodyLimitBytes = 1_048_576;

/** Answers with a person or a token in them are nobody else's to keep (threat X06). */
export const isPrivate = ["Cache-Control", "private, no-store"];

export const authCors: CorsPolicy = {
  allowMethods: "GET, POST, PUT, PATCH, DELETE",
  allowHeaders:
    "accept, authorization, content-type, x-client-ip, x-client-info, x-jwt-aud, x-use-cookie, x-supabase-api-version, apikey",
  exposeHeaders: "X-Total-Count, Link, X-Supabase-Api-Version",
  maxAgeSeconds: 3_600,
};
