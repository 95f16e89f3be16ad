import type { AuditAction } from "./types.ts";

/** GoTrue's kinds of actions: whoever reads its log filters by them. */
type LogType = "account" | "team" | "token" | "user" | "factor" | "recovery_codes";

/** `log_type` of every action. A `Record`, so that an action without one does not compile. */
export const logTypes: Readonly<Record<AuditAction, LogType>> = {
  login: "account",
  logout: "account",
  login_failed: "account",
  account_locked: "account",
  invite_accepted: "account",
  user_signedup: "team",
  user_invited: "team",
  user_deleted: "team",
  user_exported: "team",
  user_imported: "team",
  user_repeated_signup: "user",
  user_confirmation_requested: "user",
  user_recovery_requested: "user",
  user_reauthenticate_requested: "user",
  user_modified: "user",
  user_updated_password: "user",
  generate_recovery_codes: "user",
  identity_linked: "user",
  identity_unlinked: "user",
  message_undelivered: "user",
  passkey_created: "user",
  passkey_updated: "user",
  passkey_deleted: "user",
  token_revoked: "token",
  token_refreshed: "token",
  token_reused: "token",
  factor_in_progress: "factor",
  factor_unenrolled: "factor",
  factor_updated: "factor",
  challenge_created: "factor",
  verification_attempted: "factor",
  mfa_code_login: "factor",
  recovery_codes_deleted: "recovery_codes",
};

/** Longest text kept of a trait, in characters. */
const traitMaxLength = 256;

/** Names under which a secret could come by mistake: their values are not written down (threat X21). */
const secretName = /(?:^|_)(?:password|secret|token|otp|code|nonce|hash|key|verifier|challenge)$/i;
/** And what looks like one under whatever name: a JWT, or a key of ours. */
const secretValue = /^ey[\w-]+\.[\w-]+\.[\w-]*$|sb_(?:secret|publishable)_/;

/** Traits as they may be kept: bounded, and without secrets. */
export function keptTraits(
  traits: Readonly<Record<string, string | number | boolean | null>>,
): Record<string, string | number | boolean | null> {
  return Object.fromEntries(
    Object.entries(traits).map(([name, value]) => {
      if (typeof value !== "string") return [name, secretName.test(name) && value !== null ? "[removed]" : value];
      if (secretName.test(name) || secretValue.test(value)) return [name, "[removed]"];
      // jsonb-free column, but PostgreSQL's json takes no U+0000 when it is read.
      return [name, value.slice(0, traitMaxLength).replaceAll("\0", "").toWellFormed()];
    }),
  );
}
