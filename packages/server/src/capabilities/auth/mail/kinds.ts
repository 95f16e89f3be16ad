import type { MailNotice, MailRequest } from "../messages.ts";

export const mailRequests = [
  "confirmation",
  "invite",
  "magic_link",
  "recovery",
  "email_change",
  "reauthentication",
] as const satisfies readonly MailRequest[];

export const mailNotices = [
  "password_changed",
  "email_changed",
  "phone_changed",
  "identity_linked",
  "identity_unlinked",
  "mfa_factor_enrolled",
  "mfa_factor_unenrolled",
  "passkey_added",
  "passkey_removed",
  "new_device",
] as const satisfies readonly MailNotice[];

export type MailKind = MailRequest | MailNotice;

export const mailKinds: readonly MailKind[] = [...mailRequests, ...mailNotices];

export const isNotice = (kind: MailKind): kind is MailNotice => (mailNotices as readonly MailKind[]).includes(kind);

/** `magic_link` → `MagicLink`: how settings and template variables are named. */
export type Pascal<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Capitalize<Head>}${Pascal<Tail>}`
  : Capitalize<S>;

export const pascal = <S extends string>(name: S): Pascal<S> =>
  // The type says what the function does.
  name.replace(/(?:^|_)([a-z0-9])/g, (_all, letter: string) => letter.toUpperCase()) as Pascal<S>;
