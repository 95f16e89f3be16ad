import { outboundRequest } from "../../../platform/outbound/index.ts";
import type { AuthSettings } from "../context.ts";
import { isObject } from "../request.ts";
import type { CaptchaProvider } from "./settings.ts";

/** hCaptcha docs, Verify the User Response; Cloudflare docs, Turnstile siteverify; Google docs, reCAPTCHA verification. */
const addresses: Readonly<Record<CaptchaProvider, string>> = {
  hcaptcha: "https://api.hcaptcha.com/siteverify",
  turnstile: "https://challenges.cloudflare.com/turnstile/v0/siteverify",
  recaptcha: "https://www.google.com/recaptcha/api/siteverify",
};

/** An answer is some hundred bytes. */
const maxBytes = 65_536;

/** Providers' codes are short words; whatever else comes is not repeated to callers. */
const knownCode = /^[a-z0-9-]{1,64}$/;

/**
 * Asks the provider about one token, once: all three have the same request and nearly the same answer.
 * @param address of the one who claims to have solved it
 * @returns why it does not pass, none when it does
 * @throws OutboundError or Error when there is no answer to judge by
 */
export async function verifyToken(settings: AuthSettings, token: string, address: string): Promise<readonly string[]> {
  const { captchaProvider: provider, captchaUrl, captchaSecret, captchaTimeoutMs: timeoutMs } = settings;
  const form = new URLSearchParams({ secret: captchaSecret ?? "", response: token, remoteip: address });
  const { status, body } = await outboundRequest(captchaUrl ?? addresses[provider], {
    method: "POST",
    headers: { "Content-Type": "application/x-www-form-urlencoded", Accept: "application/json" },
    body: form.toString(),
    timeoutMs,
    maxBytes,
  });
  const answer: unknown = JSON.parse(body.toString());
  if (!isObject(answer) || typeof answer.success !== "boolean") {
    throw new Error(`The captcha's provider answered ${status} and nothing to judge by.`);
  }
  if (!answer.success) return codesOf(answer["error-codes"]);
  // A server in trouble is not believed when it says yes.
  if (status !== 200) throw new Error(`The captcha's provider answered ${status}.`);
  return provider === "recaptcha"
    ? [...placeOf(settings, answer), ...scoreOf(settings, answer)]
    : placeOf(settings, answer);
}

function placeOf(settings: AuthSettings, answer: Readonly<Record<string, unknown>>): readonly string[] {
  const { captchaHostnames: hostnames, captchaAction: action } = settings;
  // reCAPTCHA on Android names the app's package instead (Google docs, API response).
  const place = answer.hostname ?? answer.apk_package_name;
  const isElsewhere = hostnames.length > 0 && !(typeof place === "string" && hostnames.includes(place));
  const isOther = action !== null && answer.action !== action;
  return [...(isElsewhere ? ["hostname-mismatch"] : []), ...(isOther ? ["action-mismatch"] : [])];
}

/** v2 has no score: there a person ticked a box. */
function scoreOf(settings: AuthSettings, { score }: Readonly<Record<string, unknown>>): readonly string[] {
  if (score === undefined) return [];
  return typeof score === "number" && score * 100 >= settings.captchaMinScorePercent ? [] : ["score-too-low"];
}

function codesOf(codes: unknown): readonly string[] {
  const known = Array.isArray(codes) ? codes.filter((code) => typeof code === "string" && knownCode.test(code)) : [];
  return known.length > 0 ? known : ["invalid-input-response"];
}
