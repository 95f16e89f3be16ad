import { flag, integer, type Settings, text } from "../../../kernel/settings.ts";

/** Passwords that attackers try first. */
export const breachedSettings = {
  passwordBlocklist: flag({
    env: ["MAINSTAY_PASSWORD_BLOCKLIST"],
    default: true,
    summary: "Refuses the most common passwords, from a list of some 36,000 that comes with the server.",
  }),
  passwordHibp: flag({
    env: ["MAINSTAY_PASSWORD_HIBP", "GOTRUE_PASSWORD_HIBP_ENABLED"],
    default: false,
    summary:
      "Refuses passwords that were in a breach, asking haveibeenpwned.com. It gets the first 5 of 40 digits of a password's SHA-1.",
  }),
  passwordHibpFailClosed: flag({
    env: ["MAINSTAY_PASSWORD_HIBP_FAIL_CLOSED", "GOTRUE_PASSWORD_HIBP_FAIL_CLOSED"],
    default: false,
    summary: "While haveibeenpwned.com cannot be asked nobody can set a password.",
  }),
  passwordHibpUrl: text<string>({
    env: ["MAINSTAY_PASSWORD_HIBP_URL"],
    default: "https://api.pwnedpasswords.com",
    summary: "Where breached passwords are asked for.",
  }),
  passwordHibpTimeoutMs: integer<number>({
    env: ["MAINSTAY_PASSWORD_HIBP_TIMEOUT_MS"],
    default: 1_000,
    unit: "ms",
    min: 100,
    max: 30_000,
    summary: "Longest wait for an answer about a breached password.",
  }),
  passwordRequiredCharacters: text<string>({
    env: ["MAINSTAY_PASSWORD_REQUIRED_CHARACTERS", "GOTRUE_PASSWORD_REQUIRED_CHARACTERS"],
    default: "",
    summary:
      "Sets of characters a password needs one of each of, divided by colons. NIST SP 800-63B-4 advises against such rules.",
  }),
} satisfies Settings;
