import type { AuthSettings } from "../context.ts";
import type { AuthMail } from "../messages.ts";
import { mailLink } from "../one-time/links.ts";
import { pascal } from "./kinds.ts";
import { providerWords } from "./provider-words.ts";
import { TrustedUrl } from "./templates/index.ts";

export type MailData = Readonly<Record<string, unknown>>;

/**
 * What a template may name: Supabase's variables (Supabase docs, Email Templates), each of the mail's own facts under its name
 * (`old_email` is `.OldEmail`), and ours, `.AppName`, `.ValidFor` and `.ProviderName`. Links are ours or allowed by the project, so they may
 * have an app's scheme; everything else is data (threat X05).
 */
export function mailData(mail: AuthMail, settings: AuthSettings): MailData {
  const facts: Record<string, string> = Object.fromEntries(
    Object.entries(mail.facts).map(([name, value]) => [pascal(name), value]),
  );
  return {
    ...facts,
    ConfirmationURL: mail.tokenHash === "" ? "" : new TrustedUrl(linkOf(mail, settings)),
    Token: mail.otp,
    TokenHash: mail.tokenHash,
    SiteURL: new TrustedUrl(settings.siteUrl),
    RedirectTo: new TrustedUrl(mail.redirectTo),
    Email: mail.kind === "email_change" ? mail.user.email : mail.to,
    NewEmail: mail.newEmail,
    SendingTo: mail.to,
    Phone: mail.user.phone,
    Data: mail.user.userMetadata,
    AppName: appNameOf(settings),
    ProviderName: providerWords(facts.Provider ?? ""),
    ValidFor: durationWords(settings.mailCodeSeconds),
  };
}

const linkOf = (mail: AuthMail, settings: AuthSettings): string =>
  mailLink(settings, { token: mail.tokenHash, type: mail.verifyType, redirectTo: mail.redirectTo });

/** What the app is called where nobody has said it: the host people know. */
export function appNameOf({ mailFromName, siteUrl }: Pick<AuthSettings, "mailFromName" | "siteUrl">): string {
  if (mailFromName !== null) return mailFromName;
  const host = URL.canParse(siteUrl) ? new URL(siteUrl).host : "";
  return host === "" ? siteUrl : host;
}

/** `3600` → `1 hour`: in the largest unit that says it whole. */
export function durationWords(seconds: number): string {
  const units = [
    ["day", 86_400],
    ["hour", 3_600],
    ["minute", 60],
  ] as const;
  const [name, length] = units.find(([, unit]) => seconds >= unit && seconds % unit === 0) ?? (["second", 1] as const);
  const count = seconds / length;
  return `${count} ${name}${count === 1 ? "" : "s"}`;
}
