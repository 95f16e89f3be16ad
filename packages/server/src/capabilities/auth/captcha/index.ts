import { createHash } from "node:crypto";
import type { Clock } from "../../../kernel/clock.ts";
import { Lru } from "../../../kernel/lru.ts";
import { Problem } from "../../../kernel/problem.ts";
import { reasonOf } from "../../../kernel/reason.ts";
import { SettingError } from "../../../kernel/settings.ts";
import type { Observe } from "../../../platform/observe/observation.ts";
import { createBounded } from "../bounded.ts";
import type { AuthSettings } from "../context.ts";
import { problems } from "../problems.ts";
import { type Fields, isObject } from "../request.ts";
import { captchaProblems } from "./problems.ts";
import { type Captcha, noCaptcha } from "./types.ts";
import { verifyToken } from "./verify.ts";

export type { Captcha } from "./types.ts";

/** Longest token, in characters: Turnstile's have up to 2,048, others' some more. */
const tokenMaxLength = 8_192;
/** Tokens are good for two to five minutes at the providers. */
const rememberedMs = 5 * 60_000;
/** Tokens remembered: 5 MB when full, by when the oldest is long gone. */
const rememberedTokens = 32_768;

/**
 * Checks captchas with their provider; who cannot be asked lets nobody pass.
 * A token works once: the providers see to that, and so does this process by itself, since not every one of them does so for
 * every kind of key.
 * @throws SettingError when the captcha is on and there is no secret
 */
export function createCaptcha(needs: {
  readonly settings: AuthSettings;
  readonly clock: Clock;
  readonly observe: Observe;
}): Captcha {
  const { settings, clock, observe } = needs;
  if (!settings.captchaEnabled) return noCaptcha;
  if (settings.captchaSecret === null) {
    throw new SettingError("The captcha is on and has no secret. Set MAINSTAY_CAPTCHA_SECRET, or turn it off.");
  }
  // Whoever makes tokens up makes us ask: not more at once than the provider and we can bear.
  const bounded = createBounded(settings.captchaConcurrency, settings.captchaQueueLimit, () =>
    problems.overRequestRate(1),
  );
  const seen = new Lru<string, number>(rememberedTokens);
  return {
    async check(fields, caller) {
      if (caller.isService) return;
      const token = tokenOf(fields);
      if (token === "") throw captchaProblems.failed(["no captcha_token found"]);
      if (token.length > tokenMaxLength) throw captchaProblems.failed(["invalid-input-response"]);
      const key = createHash("sha256").update(token).digest("base64url");
      const usedAtMs = seen.get(key);
      if (usedAtMs !== undefined && clock.nowMs() - usedAtMs < rememberedMs) {
        throw captchaProblems.failed(["timeout-or-duplicate"]);
      }
      // Before the provider is asked: of two at once, one passes.
      seen.set(key, clock.nowMs());
      let reasons: readonly string[];
      try {
        reasons = await bounded(() => verifyToken(settings, token, caller.address));
      } catch (error) {
        // Nobody has judged it, so the same one may be shown again.
        seen.delete(key);
        if (error instanceof Problem) throw error;
        const message = `captcha not verified: ${reasonOf(error)}`;
        observe({ kind: "warning", area: "auth", message });
        throw captchaProblems.unverified(error);
      }
      if (reasons.length > 0) throw captchaProblems.failed(reasons);
    },
  };
}

function tokenOf(fields: Fields): string {
  const security = Object.hasOwn(fields, "gotrue_meta_security") ? fields.gotrue_meta_security : null;
  const token = isObject(security) && Object.hasOwn(security, "captcha_token") ? security.captcha_token : null;
  return typeof token === "string" ? token.trim() : "";
}
