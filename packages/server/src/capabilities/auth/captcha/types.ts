import type { Caller } from "../context.ts";
import type { Fields } from "../request.ts";

/** Keeps machines out of what strangers may ask for. */
export interface Captcha {
  /**
   * Checks `gotrue_meta_security.captcha_token` of a request with the provider; nothing where no captcha is set.
   * Asked at sign-up, password sign-in, codes, links, recovery, resend, SSO and passkey options; never of the service role.
   * @throws Problem 400 `captcha_failed`, 500 `unexpected_failure` when the provider gives no answer, 429 when too many wait for one
   */
  check(fields: Fields, caller: Caller): Promise<void>;
}

export const noCaptcha: Captcha = { check: async () => {} };
