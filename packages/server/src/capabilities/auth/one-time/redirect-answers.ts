import type { Problem } from "../../../kernel/problem.ts";
import type { Reply } from "../../../kernel/route.ts";
import { isPrivate } from "../reply.ts";
import type { Session } from "../user.ts";

/** What a browser is sent on with. Written over what the app's own URL has of the same names: they are ours to say. */
type Facts = Readonly<Record<string, string>>;

const found = (location: string): Reply => ({
  status: 303,
  headers: ["Location", location, ...isPrivate, "Referrer-Policy", "no-referrer"],
  body: null,
});

/** Names that apps read their sign-in from. An app's URL that brings its own could pass another's off as the answer. */
const reserved = [
  "access_token",
  "refresh_token",
  "expires_in",
  "expires_at",
  "token_type",
  "type",
  "provider_token",
  "provider_refresh_token",
  "code",
  "message",
  "error",
  "error_code",
  "error_description",
];

/** The URL with what an app is told; whatever it had under these names is gone. */
export function withFacts(
  redirectTo: string,
  facts: Facts,
  places: { readonly query: boolean; readonly fragment: boolean },
): string {
  const url = new URL(redirectTo);
  for (const name of reserved) if (url.searchParams.has(name)) url.searchParams.delete(name);
  if (places.query) for (const [name, value] of Object.entries(facts)) url.searchParams.set(name, value);
  // `sb` tells clients that the fragment is for them.
  if (places.fragment) url.hash = new URLSearchParams({ ...facts, sb: "" }).toString();
  return url.href;
}

/** Implicit flow: the session in the fragment, which no server sees (auth.md §7.3). */
export function redirectWithSession(redirectTo: string, session: Session, expiresIn: number, type: string): Reply {
  const facts = {
    access_token: session.access.token,
    expires_at: String(session.access.expiresAt),
    expires_in: String(expiresIn),
    refresh_token: session.refreshToken,
    token_type: "bearer",
    type,
  };
  return found(withFacts(redirectTo, facts, { query: false, fragment: true }));
}

/** PKCE: a code that only the client with the verifier can exchange. */
export const redirectWithCode = (redirectTo: string, code: string): Reply =>
  found(withFacts(redirectTo, { code }, { query: true, fragment: false }));

/** Half of a change is done; the text says what is missing. */
export const redirectWithMessage = (redirectTo: string, message: string, isPkce: boolean): Reply =>
  found(withFacts(redirectTo, { message }, { query: isPkce, fragment: true }));

/** RFC 6749 §4.1.2.1, with GoTrue's code besides. */
export function redirectWithError(redirectTo: string, problem: Problem, isPkce: boolean): Reply {
  const facts = {
    error: oauthErrorOf(problem.status),
    error_code: problem.code.startsWith("auth/") ? problem.code.slice("auth/".length) : "unexpected_failure",
    error_description: problem.code.startsWith("auth/") ? problem.message : "Unexpected failure",
  };
  return found(withFacts(redirectTo, facts, { query: isPkce, fragment: true }));
}

function oauthErrorOf(status: number): string {
  switch (status) {
    case 401:
      return "unauthorized_client";
    case 403:
      return "access_denied";
    case 503:
      return "temporarily_unavailable";
    default:
      return status < 500 ? "invalid_request" : "server_error";
  }
}
