import type { AuthSettings } from "../context.ts";
import type { AuthMail, AuthSms, MailNotice, MailRequest } from "../messages.ts";
import type { Fields } from "../request.ts";
import { userJson } from "../user.ts";

/** `email_action_type` of each mail (Supabase docs, Send Email Hook). */
const actions: Readonly<Record<MailRequest | MailNotice, string>> = {
  confirmation: "signup",
  invite: "invite",
  magic_link: "magiclink",
  recovery: "recovery",
  email_change: "email_change",
  reauthentication: "reauthentication",
  password_changed: "password_changed_notification",
  email_changed: "email_changed_notification",
  phone_changed: "phone_changed_notification",
  identity_linked: "identity_linked_notification",
  identity_unlinked: "identity_unlinked_notification",
  mfa_factor_enrolled: "mfa_factor_enrolled_notification",
  mfa_factor_unenrolled: "mfa_factor_unenrolled_notification",
  passkey_added: "passkey_added_notification",
  passkey_removed: "passkey_removed_notification",
  new_device: "new_device_notification",
};

/**
 * A mail as hooks know it. In the change of an address the fields are crossed, as they are in GoTrue: `token` and `token_hash_new`
 * are for the address in use, `token_new` and `token_hash` for the one asked for. Our mails go out one by one, so one pair is empty;
 * `email` says whose mail it is.
 */
export function mailPayload(mail: AuthMail, { publicUrl }: Pick<AuthSettings, "publicUrl">): Fields {
  const base = publicUrl.replace(/\/+$/, "");
  const isToCurrent = mail.kind === "email_change" && mail.newEmail !== "" && mail.to !== mail.newEmail;
  return {
    user: userJson(mail.user),
    email_data: {
      token: mail.otp,
      token_hash: isToCurrent ? "" : mail.tokenHash,
      redirect_to: mail.redirectTo,
      email_action_type: actions[mail.kind],
      site_url: base.endsWith("/auth/v1") ? base : `${base}/auth/v1`,
      token_new: mail.kind === "email_change" && !isToCurrent ? mail.otp : "",
      token_hash_new: isToCurrent ? mail.tokenHash : "",
      ...mail.facts,
      email: mail.to,
    },
  };
}

export function smsPayload(sms: AuthSms): Fields {
  return {
    ...(sms.user === null ? {} : { user: userJson(sms.user) }),
    sms: { otp: sms.otp, sms_type: sms.purpose, phone: sms.to, channel: sms.channel },
  };
}
