import { integer, type Settings, text } from "../../../kernel/settings.ts";
import { templateSettings } from "./template-settings.ts";

/** Mails: who hands them over, from whom they are, what they say. */
export const mailSettings = {
  smtpHost: text<string | null>({
    env: ["MAINSTAY_SMTP_HOST", "GOTRUE_SMTP_HOST", "SMTP_HOST"],
    default: null,
    summary: "Mail server that takes our mails. Without one none leaves.",
  }),
  smtpPort: integer<number>({
    env: ["MAINSTAY_SMTP_PORT", "GOTRUE_SMTP_PORT", "SMTP_PORT"],
    default: 587,
    unit: "port",
    min: 1,
    max: 65_535,
    summary: "Its port: 465 speaks TLS from the start, 587 and others turn it on (STARTTLS).",
  }),
  smtpUser: text<string | null>({
    env: ["MAINSTAY_SMTP_USER", "GOTRUE_SMTP_USER", "SMTP_USER"],
    default: null,
    summary: "Login at the mail server; none when left out.",
  }),
  smtpPassword: text<string | null>({
    env: ["MAINSTAY_SMTP_PASSWORD", "MAINSTAY_SMTP_PASS", "GOTRUE_SMTP_PASS", "SMTP_PASS"],
    default: null,
    isSecret: true,
    summary: "Password of that login.",
  }),
  smtpTls: text<"auto" | "starttls" | "implicit" | "none">({
    env: ["MAINSTAY_SMTP_TLS"],
    choices: ["auto", "starttls", "implicit", "none"],
    default: "auto",
    summary:
      "Encryption on the way: auto is implicit on port 465, starttls elsewhere, and whatever is offered on this machine; none sends in the clear and never a password.",
  }),
  smtpConnections: integer<number>({
    env: ["MAINSTAY_SMTP_CONNECTIONS"],
    default: 4,
    unit: "connections",
    min: 1,
    max: 64,
    summary: "Most connections to the mail server at once.",
  }),
  smtpTimeoutMs: integer<number>({
    env: ["MAINSTAY_SMTP_TIMEOUT_MS"],
    default: 20_000,
    unit: "ms",
    min: 100,
    max: 300_000,
    summary: "Longest silence of the mail server.",
  }),
  mailFrom: text<string | null>({
    env: ["MAINSTAY_SMTP_FROM", "GOTRUE_SMTP_ADMIN_EMAIL", "SMTP_ADMIN_EMAIL"],
    default: null,
    summary: "Address our mails are from. Needed with a mail server.",
  }),
  mailFromName: text<string | null>({
    env: ["MAINSTAY_SMTP_FROM_NAME", "GOTRUE_SMTP_SENDER_NAME", "SMTP_SENDER_NAME"],
    default: null,
    summary:
      "What the app is called: in mails, whose sender it is, and in authenticator apps; the host of the site URL when left out.",
  }),
  ...templateSettings,
} satisfies Settings;
