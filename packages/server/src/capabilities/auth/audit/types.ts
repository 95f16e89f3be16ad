import type { Queryable } from "../../../platform/postgres/database.ts";
import type { Caller } from "../context.ts";

/** GoTrue's actions where it has one, and what it does not tell. */
export type AuditAction =
  | "login"
  | "logout"
  | "login_failed"
  | "account_locked"
  | "user_signedup"
  | "user_repeated_signup"
  | "user_invited"
  | "invite_accepted"
  | "user_confirmation_requested"
  | "user_recovery_requested"
  | "user_reauthenticate_requested"
  | "user_modified"
  | "user_updated_password"
  | "user_deleted"
  | "user_exported"
  | "user_imported"
  | "token_revoked"
  | "token_refreshed"
  | "token_reused"
  | "factor_in_progress"
  | "factor_unenrolled"
  | "factor_updated"
  | "challenge_created"
  | "verification_attempted"
  | "mfa_code_login"
  | "generate_recovery_codes"
  | "recovery_codes_deleted"
  | "passkey_created"
  | "passkey_updated"
  | "passkey_deleted"
  | "identity_linked"
  | "identity_unlinked"
  | "message_undelivered";

export interface AuditEntry {
  readonly action: AuditAction;
  /** Whose account it is about; `null` when there is none. */
  readonly userId: string | null;
  /** Who did it, when that is somebody else: an admin. */
  readonly actor?: "service_role" | "system";
  readonly caller: Caller | null;
  /** More about it. Never a secret, a code or a token (threat X21). */
  readonly traits?: Readonly<Record<string, string | number | boolean | null>>;
}

/** The account of every security event. */
export interface Audit {
  /** Writes it down in `db`: with a transaction it is true exactly when the event is. */
  record(db: Queryable, entry: AuditEntry): Promise<void>;
  /** Tells whoever watches the server of an entry that another statement has written. */
  tell(entry: AuditEntry): void;
}
