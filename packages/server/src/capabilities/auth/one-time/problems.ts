import { auth } from "../problems.ts";

/** Failures of codes, links and PKCE. */
export const oneTimeProblems = {
  /** The code is wrong, too old, used, for something else, or was tried too often. It is never said which. */
  codeInvalid: () => auth("otp_expired", 403, "Token has expired or is invalid"),
  /** The link is too old, used, replaced by a newer one, or was never sent. */
  linkInvalid: () => auth("otp_expired", 403, "Email link is invalid or has expired"),
  /** There is no account, and `create_user` is false. */
  otpDisabled: () => auth("otp_disabled", 422, "Signups not allowed for otp"),
  /** No sign-in under way has this code. */
  flowStateNotFound: () => auth("flow_state_not_found", 404, "invalid flow state, no valid flow state found"),
  /** The code came too late; sign in again. */
  flowStateExpired: () => auth("flow_state_expired", 422, "invalid flow state, flow state has expired"),
  /** The code was exchanged before. Two parties have it, so the session it gave was ended. */
  flowStateAlreadyUsed: () => auth("flow_state_already_used", 400, "invalid flow state, code has been used"),
  /** `code_verifier` is not the one the challenge was made of. */
  badCodeVerifier: () => auth("bad_code_verifier", 400, "code challenge does not match previously saved code verifier"),
  /** A nonce is sent to a confirmed address or number, and this account has none. */
  nothingToSendTo: () =>
    auth("validation_failed", 422, "Reauthentication requires the user to have a confirmed email or phone number"),
};
