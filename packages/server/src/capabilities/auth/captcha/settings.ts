import { flag, integer, list, type Settings, text } from "../../../kernel/settings.ts";

export type CaptchaProvider = "hcaptcha" | "turnstile" | "recaptcha";

/** What strangers must solve before they may ask for something. */
export const captchaSettings = {
  captchaEnabled: flag({
    env: ["MAINSTAY_CAPTCHA", "GOTRUE_SECURITY_CAPTCHA_ENABLED"],
    default: false,
    summary: "Sign-up, sign-in, codes and links need a solved captcha.",
  }),
  captchaProvider: text<CaptchaProvider>({
    env: ["MAINSTAY_CAPTCHA_PROVIDER", "GOTRUE_SECURITY_CAPTCHA_PROVIDER"],
    default: "hcaptcha",
    choices: ["hcaptcha", "turnstile", "recaptcha"],
    summary: "Whose captcha.",
  }),
  captchaSecret: text<string | null>({
    env: ["MAINSTAY_CAPTCHA_SECRET", "GOTRUE_SECURITY_CAPTCHA_SECRET"],
    default: null,
    isSecret: true,
    summary: "The secret key the captcha's provider gave.",
  }),
  captchaMinScorePercent: integer<number>({
    env: ["MAINSTAY_CAPTCHA_MIN_SCORE_PERCENT"],
    default: 50,
    unit: "%",
    min: 0,
    max: 100,
    summary: "Least score of a reCAPTCHA v3, where 100 is surely a person.",
  }),
  captchaHostnames: list({
    env: ["MAINSTAY_CAPTCHA_HOSTNAMES"],
    default: [],
    summary: "Where the captcha must have been solved, as host names or package names; anywhere when empty.",
  }),
  captchaAction: text<string | null>({
    env: ["MAINSTAY_CAPTCHA_ACTION"],
    default: null,
    summary: "The action the captcha must have been solved for, where the provider has actions.",
  }),
  captchaTimeoutMs: integer<number>({
    env: ["MAINSTAY_CAPTCHA_TIMEOUT_MS", "GOTRUE_SECURITY_CAPTCHA_TIMEOUT"],
    default: 5_000,
    unit: "ms",
    min: 100,
    max: 30_000,
    summary: "Longest wait for the captcha's provider. Without an answer nobody passes.",
  }),
  captchaConcurrency: integer<number>({
    env: ["MAINSTAY_CAPTCHA_CONCURRENCY"],
    default: 32,
    unit: "captchas",
    min: 1,
    max: 1_024,
    summary: "Captchas asked about at once.",
  }),
  captchaQueueLimit: integer<number>({
    env: ["MAINSTAY_CAPTCHA_QUEUE"],
    default: 256,
    unit: "captchas",
    min: 0,
    summary: "Captchas waiting their turn; more are answered 429.",
  }),
  captchaUrl: text<string | null>({
    env: ["MAINSTAY_CAPTCHA_URL"],
    default: null,
    summary: "Where captchas are verified, when it is not at the provider's usual address.",
  }),
} satisfies Settings;
