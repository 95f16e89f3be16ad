import { Problem, type ProblemOptions } from "../../kernel/problem.ts";

export type WeakPasswordReason = "length" | "characters" | "pwned";

type ResponseHeaders = Readonly<Record<string, string>>;

/** A failure of this capability; each of its rooms names its own. */
export const auth = (code: string, status: number, message: string, options?: ProblemOptions) =>
  new Problem(`auth/${code}`, status, message, options);

/** Failures of sign-in and accounts. After `auth/` comes the `error_code` clients know; texts apps match on are kept to the letter. */
export const problems = {
  /** The body is no JSON object. */
  badJson: () => auth("bad_json", 400, "Could not parse request body as JSON"),
  /** A value of the request is missing or of the wrong kind; the message says which. */
  validationFailed: (message: string) => auth("validation_failed", 400, message),
  /** The id in the path is no UUID. */
  idMalformed: (name: string) => auth("validation_failed", 404, `${name} must be an UUID`),
  /** Address or password is wrong, or there is no such account: the answer is the same. */
  invalidCredentials: () => auth("invalid_credentials", 400, "Invalid login credentials"),
  /** The app's hook rejects the attempt, in its own words. */
  rejectedByHook: (message: string) => auth("invalid_credentials", 400, message),
  /** The address was never confirmed. */
  emailNotConfirmed: () => auth("email_not_confirmed", 400, "Email not confirmed"),
  /** The phone number was never confirmed. */
  phoneNotConfirmed: () => auth("phone_not_confirmed", 400, "Phone not confirmed"),
  /** The account is banned. 400 when signing in, 403 with a token of before. */
  userBanned: (status: 400 | 403) => auth("user_banned", status, "User is banned"),
  /** `grant_type` is none we know. */
  unsupportedGrant: () => auth("invalid_credentials", 400, "unsupported_grant_type"),
  /** No session has this refresh token: it was never given out, or its session has ended. */
  refreshTokenNotFound: () => auth("refresh_token_not_found", 400, "Invalid Refresh Token: Refresh Token Not Found"),
  /** The refresh token was used long ago, so two parties have it: the session was ended for both. */
  refreshTokenAlreadyUsed: () => auth("refresh_token_already_used", 400, "Invalid Refresh Token: Already Used"),
  /** The session is older, or was idle for longer, than the settings allow. */
  sessionExpired: (status: 400 | 403) => auth("session_expired", status, "Invalid Refresh Token: Session Expired"),
  /** The session behind this token has ended. */
  sessionNotFound: () => auth("session_not_found", 403, "Session from session_id claim in JWT does not exist"),
  /** Somebody else is refreshing this session right now and takes too long. */
  refreshConflict: () =>
    auth("conflict", 409, "Too many concurrent token refresh requests on the same session or refresh token", {
      headers: { "Retry-After": "1" },
    }),
  /** The call needs a user's bearer token. */
  noAuthorization: () => auth("no_authorization", 401, "This endpoint requires a valid Bearer token"),
  /** The bearer token names no user: it is a project key. */
  tokenWithoutSubject: () => auth("bad_jwt", 403, "invalid claim: missing sub claim"),
  /** Only an admin may set this. */
  notAdmin: (message = "User not allowed") => auth("not_admin", 403, message),
  /** The user of this token is gone. */
  userOfTokenNotFound: () => auth("user_not_found", 403, "User from sub claim in JWT does not exist"),
  /** No user has this id. */
  userNotFound: () => auth("user_not_found", 404, "User not found"),
  /** Accounts are made by admins here. */
  signupDisabled: () => auth("signup_disabled", 422, "Signups not allowed for this instance"),
  /** An account with this address is there. */
  userAlreadyExists: () => auth("user_already_exists", 422, "User already registered"),
  /** Another account has this address. Said to admins, and to a signed-in user who changes theirs. */
  emailExists: () => auth("email_exists", 422, "A user with this email address has already been registered"),
  /** Another account has this phone number. Said to admins, and to a signed-in user who changes theirs. */
  phoneExists: () => auth("phone_exists", 422, "A user with this phone number has already been registered"),
  /** Anonymous sign-in is off; the setting is `anonymousEnabled`. */
  anonymousDisabled: () => auth("anonymous_provider_disabled", 422, "Anonymous sign-ins are disabled"),
  /** Accounts with an e-mail address are off; the setting is `emailEnabled`. 400 when signing up, 422 when signing in. */
  emailDisabled: (status: 400 | 422) =>
    auth(
      "email_provider_disabled",
      status,
      status === 400 ? "Email signups are disabled" : "Email logins are disabled",
    ),
  /** Accounts with a phone number are off; the setting is `phoneEnabled`. 400 when signing up, 422 when signing in. */
  phoneDisabled: (status: 400 | 422) =>
    auth(
      "phone_provider_disabled",
      status,
      status === 400 ? "Phone signups are disabled" : "Phone logins are disabled",
    ),
  /** The password is too short or on a list of known ones; `details.weak_password.reasons` says which. */
  weakPassword: (message: string, reasons: readonly WeakPasswordReason[]) =>
    auth("weak_password", 422, message, { details: { weak_password: { reasons } } }),
  /** The new password is the one in use. */
  samePassword: () => auth("same_password", 422, "New password should be different from the old password."),
  /** The session is too old to change the password; sign in again, or send the current password. */
  reauthenticationNeeded: () => auth("reauthentication_needed", 400, "Password update requires reauthentication"),
  /** The nonce sent with the new password is wrong or too old. */
  reauthenticationNotValid: () => auth("reauthentication_not_valid", 422, "Nonce has expired or is invalid"),
  /** The setting `passwordCurrentRequired` asks for `current_password` with a new one. */
  currentPasswordRequired: () =>
    auth("current_password_required", 400, "Current password required when setting new password."),
  /** The `current_password` sent with the new one is wrong. */
  currentPasswordInvalid: () =>
    auth("current_password_invalid", 400, "Current password required when setting new password."),
  /** The user has a second factor and this session did not show it. */
  insufficientAal: () =>
    auth("insufficient_aal", 401, "AAL2 session is required to update email or password when MFA is enabled."),
  /** The database refused the new account: most often a trigger of the app's on `auth.users` fails. The server's log has the reason. */
  savingUserFailed: (cause: unknown) => auth("unexpected_failure", 500, "Database error saving new user", { cause }),
  /** Too many tries from this address or to this account. `Retry-After` says when to come again. */
  overRequestRate: (retryAfterSeconds: number, headers: ResponseHeaders = {}) =>
    auth("over_request_rate_limit", 429, "Request rate limit reached", after(retryAfterSeconds, headers)),
  /** Too many mails to this address, or of the whole project. */
  overMailRate: (retryAfterSeconds: number, headers: ResponseHeaders = {}) =>
    auth("over_email_send_rate_limit", 429, sendAgainAfter(retryAfterSeconds), after(retryAfterSeconds, headers)),
  /** Too many text messages to this number, or of the whole project. */
  overSmsRate: (retryAfterSeconds: number, headers: ResponseHeaders = {}) =>
    auth("over_sms_send_rate_limit", 429, sendAgainAfter(retryAfterSeconds), after(retryAfterSeconds, headers)),
};

const wholeSeconds = (seconds: number): number => Math.max(1, Math.ceil(seconds));

/** Apps read the number out of it. */
const sendAgainAfter = (seconds: number): string =>
  `For security purposes, you can only request this after ${wholeSeconds(seconds)} seconds.`;

const after = (seconds: number, headers: ResponseHeaders): ProblemOptions => ({
  headers: { "Retry-After": String(wholeSeconds(seconds)), ...headers },
});
