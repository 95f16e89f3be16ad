import type { Problem } from "../../../kernel/problem.ts";
import type { Reply } from "../../../kernel/route.ts";
import { withFacts } from "../one-time/redirect-answers.ts";
import { isPrivate } from "../reply.ts";
import type { Session } from "../user.ts";

/** Sends a browser on. What is in the URL is nobody else's to keep, nor to pass on. */
export const found = (location: string): Reply => ({
  status: 302,
  headers: ["Location", location, ...isPrivate, "Referrer-Policy", "no-referrer"],
  body: null,
});

/** The session in the fragment, with the provider's own tokens (auth.md §9.2). */
export function sessionLocation(redirectTo: string, session: Session, expiresIn: number): string {
  const facts = {
    access_token: session.access.token,
    expires_at: String(session.access.expiresAt),
    expires_in: String(expiresIn),
    ...(session.providerToken === undefined ? {} : { provider_token: session.providerToken }),
    ...(session.providerRefreshToken === undefined ? {} : { provider_refresh_token: session.providerRefreshToken }),
    refresh_token: session.refreshToken,
    token_type: "bearer",
  };
  return withFacts(redirectTo, facts, { query: false, fragment: true });
}

/** A code, for the client that has its verifier. */
export const codeLocation = (redirectTo: string, code: string): string =>
  withFacts(redirectTo, { code }, { query: true, fragment: false });

/** GoTrue says it in both places: apps look in one or the other. */
export function errorLocation(redirectTo: string, problem: Problem): string {
  const isOurs = problem.code.startsWith("auth/");
  const facts = {
    error: errorOf(problem),
    error_code: isOurs ? problem.code.slice("auth/".length) : "unexpected_failure",
    error_description: isOurs ? problem.message : "Unexpected failure",
  };
  return withFacts(redirectTo, facts, { query: true, fragment: true });
}

/** What people may not do here, though the request was in order. */
const denied: readonly string[] = [
  "auth/access_denied",
  "auth/signup_disabled",
  "auth/user_banned",
  "auth/provider_email_needs_verification",
];

/** RFC 6749 §4.1.2.1. */
function errorOf({ code, status }: Problem): string {
  if (denied.includes(code)) return "access_denied";
  switch (status) {
    case 400:
      return "invalid_request";
    case 401:
      return "unauthorized_client";
    case 403:
      return "access_denied";
    case 503:
      return "temporarily_unavailable";
    default:
      return "server_error";
  }
}
