import type { ProblemOptions } from "../../../kernel/problem.ts";
import { auth } from "../problems.ts";

/** OAuth's own error shape (RFC 6749 §5.2), which clients expect of the `id_token` grant; the boundary writes nothing else then. */
const inOauthsWords = (error: string, description: string, cause?: unknown): ProblemOptions => ({
  details: { error, error_description: description },
  ...(cause === undefined ? {} : { cause }),
});

/** Failures of sign-in with a provider. */
export const oauthProblems = {
  /** No provider of this name is on, or it has no client id. The setting is `<provider>Enabled`. */
  unsupportedProvider: (why = "provider is not enabled") =>
    auth("validation_failed", 400, `Unsupported provider: ${why}`),
  /** The provider is off, or has no client id, and a token of its was sent. */
  providerDisabled: (name: string) => auth("provider_disabled", 400, `Provider ${JSON.stringify(name)} is not enabled`),
  /** `code_challenge` and `code_challenge_method` belong together, and the challenge is 43 to 128 characters (RFC 7636 §4.2). */
  badCodeChallenge: (message: string) => auth("validation_failed", 400, message),
  /** `oauthPkceRequired` is on and the app sent no `code_challenge`. */
  pkceRequired: () => auth("validation_failed", 400, "PKCE flow requires code_challenge"),
  /** A scope has characters that scopes do not have (RFC 6749 §3.3), or there are too many. */
  badScopes: () => auth("validation_failed", 400, "scopes must be a list of scope names separated by spaces"),
  /** Too many parameters for the provider, or too long ones. */
  tooManyParams: () => auth("validation_failed", 400, "Too many or too long query parameters"),
  /** The provider's answer is not one to a sign-in begun here: it lacks `state` or `code`, or the provider refused. */
  badCallback: (message: string, cause?: unknown) =>
    auth("bad_oauth_callback", 400, message, cause === undefined ? {} : { cause }),
  /** The person, or the provider, said no. The message is the provider's. */
  accessDenied: (message: string) => auth("access_denied", 403, message),
  /** The `state` is none of ours, was used already, or is too old. */
  badState: (message: string) => auth("bad_oauth_state", 400, message),
  /** The provider did not answer, or not in a way that can be understood. */
  providerUnavailable: (cause: unknown) =>
    auth("unexpected_failure", 503, "The sign-in provider could not be asked", { cause }),
  /** The provider gave no e-mail address, and the setting `<provider>EmailOptional` is off. */
  emailMissing: () => auth("email_address_not_provided", 422, "Error getting user email from external provider"),
  /** The provider does not vouch for the address. Whoever has its mailbox can confirm it and sign in again. */
  emailNeedsVerification: (provider: string) =>
    auth(
      "provider_email_needs_verification",
      422,
      `Unverified email with ${provider}. A confirmation email has been sent to your ${provider} email`,
    ),
  /** No invitation has this token, or it is over. */
  invitedUserNotFound: () => auth("user_not_found", 404, "User identified by token not found"),
  /** The invitation was accepted, or taken back, while its guest was at the provider. */
  inviteNotFound: () => auth("invite_not_found", 404, "Invite not found"),
  /** Somebody else was invited than the provider says it is. */
  inviteForAnother: () => auth("validation_failed", 400, "Invited email does not match emails from external provider"),
  /** Identities are not linked by hand here; the setting is `manualLinkingEnabled`. */
  manualLinkingDisabled: () => auth("manual_linking_disabled", 404, "Manual linking is disabled"),
  /** This account of the provider belongs to a user already. */
  identityExists: (isOwn: boolean) =>
    auth(
      "identity_already_exists",
      422,
      isOwn ? "Identity is already linked" : "Identity is already linked to another user",
    ),
  /** The user has no identity of this id. */
  identityNotFound: () => auth("identity_not_found", 422, "Identity doesn't exist"),
  /** A user without an identity could never sign in again. */
  singleIdentity: () =>
    auth("single_identity_not_deletable", 422, "User must have at least 1 identity after unlinking"),
  /** Without this identity the user would have the address of somebody else's account. */
  emailConflict: () =>
    auth("email_conflict_identity_not_deletable", 422, "Unable to unlink identity due to email conflict"),
  /** A field of the `id_token` grant is missing. */
  invalidIdTokenRequest: (description: string) =>
    auth("validation_failed", 400, description, inOauthsWords("invalid request", description)),
  /** The ID token is none of the provider's, is not made out to this app, or is too old. The server's log says what. */
  badIdToken: (description = "Bad ID token", cause?: unknown) =>
    auth("validation_failed", 400, description, inOauthsWords("invalid request", description, cause)),
  /** The nonce sent is not the one whose SHA-256 is in the token. */
  nonceMismatch: () =>
    auth("validation_failed", 400, "Nonces mismatch", inOauthsWords("invalid nonce", "Nonces mismatch")),
  /** SAML is not served. */
  samlDisabled: () => auth("saml_provider_disabled", 404, "SAML 2.0 is disabled"),
};
