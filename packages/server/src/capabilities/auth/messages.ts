import type { Queryable } from "../../platform/postgres/database.ts";
import type { User } from "./user.ts";

/** Mails that ask for something, named as their templates are (Supabase docs, Email Templates). */
export type MailRequest = "confirmation" | "invite" | "magic_link" | "recovery" | "email_change" | "reauthentication";

/** Mails that only tell. */
export type MailNotice =
  | "password_changed"
  | "email_changed"
  | "phone_changed"
  | "identity_linked"
  | "identity_unlinked"
  | "mfa_factor_enrolled"
  | "mfa_factor_unenrolled"
  | "passkey_added"
  | "passkey_removed"
  | "new_device";

/** One mail to be written to somebody. */
export interface AuthMail {
  readonly kind: MailRequest | MailNotice;
  /** The address as stored, never as a request spelled it (threat A20). */
  readonly to: string;
  readonly user: User;
  /** The code to type in; `""` when the mail has none. */
  readonly otp: string;
  /** What the link carries as `token`; `""` when the mail has no link. */
  readonly tokenHash: string;
  /** `type` of the link: `signup`, `invite`, `magiclink`, `recovery`, `email_change`; `""` without one. */
  readonly verifyType: string;
  /** Where the link leads in the end: allowed already. */
  readonly redirectTo: string;
  /** The address asked for, in mails about its change; else `""`. */
  readonly newEmail: string;
  /** More that a template may name, for notices: the factor's type, the provider, the device. */
  readonly facts: Readonly<Record<string, string>>;
}

/** One text message with a code. */
export interface AuthSms {
  readonly purpose: "sms" | "phone_change" | "reauthentication" | "mfa";
  /** E.164 digits without `+`, as stored. */
  readonly to: string;
  readonly otp: string;
  readonly channel: "sms" | "whatsapp";
  /** `null` for somebody who has no account yet. */
  readonly user: User | null;
}

/**
 * What is told to people outside. Both put the message into the outbox, in `tx`: it leaves once that is committed, is tried again
 * while the way out is blocked, and takes the caller no time that would tell known accounts from unknown ones (threat A16).
 */
export interface Messages {
  mail(tx: Queryable, mail: AuthMail): Promise<void>;
  /** @returns an id of ours: clients show it as `message_id` */
  sms(tx: Queryable, sms: AuthSms): Promise<string>;
}
