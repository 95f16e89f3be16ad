import { auth } from "../problems.ts";

/** What keeps a request from passing its captcha. */
export const captchaProblems = {
  /** The captcha is missing, wrong, too old or used already; the message says which, in the provider's words. Solve it again. */
  failed: (reasons: readonly string[]) =>
    auth("captcha_failed", 400, `captcha protection: request disallowed (${reasons.join(", ")})`),
  /** The captcha's provider could not be asked, so nobody passes. Nothing is wrong with the request: try again. */
  unverified: (cause: unknown) => auth("unexpected_failure", 500, "captcha verification process failed", { cause }),
};
