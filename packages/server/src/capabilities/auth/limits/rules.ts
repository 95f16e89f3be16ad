import type { Values } from "../../../kernel/settings.ts";
import type { limitSettings } from "./settings.ts";

/** So many events per key and period. */
export interface Rule {
  readonly count: number;
  readonly periodSeconds: number;
  readonly refusal: "overRequestRate" | "overMailRate" | "overSmsRate";
  /** How many at once, when that is not all of `count`. */
  readonly burst?: number;
}

/**
 * Everything that is counted (Supabase docs, Auth, Rate limits). `network` keys are `Caller.network`, `account` keys
 * `accountKey(address or user id)`: never what a request says of itself (threat A12).
 */
export type LimitName =
  /** Sign-ups, password sign-ins, id tokens, by network. */
  | "signIn"
  /** Refreshes, by network. */
  | "refresh"
  /** Anonymous sign-ins, by network. */
  | "anonymous"
  /** Codes and links tried, by network. */
  | "verify"
  /** Codes and links asked for, by network. */
  | "otp"
  /** Mails to one address. */
  | "mailTo"
  /** Text messages to one number. */
  | "smsTo"
  /** Mails of the whole project, key `""`. */
  | "mail"
  /** Text messages of the whole project, key `""`. */
  | "sms"
  /** Challenges and verifications of second factors, by network. */
  | "mfa"
  /** Passkey ceremonies, by network. */
  | "passkey"
  /** Starts of OAuth, by network. */
  | "oauth";

/**
 * What is counted where it happens and told to the other nodes soon after: limits by network, which are asked at every request. All
 * others are asked of the database each time.
 */
export const countedLocally: ReadonlySet<LimitName> = new Set([
  "signIn",
  "refresh",
  "anonymous",
  "verify",
  "otp",
  "mfa",
  "passkey",
  "oauth",
]);

const fiveMinutes = 300;
const hour = 3_600;

export function limitRules(settings: Values<typeof limitSettings>): Readonly<Record<LimitName, Rule>> {
  const rule = (count: number, periodSeconds: number, refusal: Rule["refusal"] = "overRequestRate"): Rule => ({
    count,
    periodSeconds,
    refusal,
  });
  return {
    signIn: rule(settings.rateLimitSignIn, fiveMinutes),
    refresh: { ...rule(settings.rateLimitRefresh, fiveMinutes), burst: settings.rateLimitRefreshBurst },
    anonymous: rule(settings.rateLimitAnonymous, hour),
    verify: rule(settings.rateLimitVerify, fiveMinutes),
    otp: rule(settings.rateLimitOtp, fiveMinutes),
    mailTo: rule(1, settings.mailMinIntervalSeconds, "overMailRate"),
    smsTo: rule(1, settings.smsMinIntervalSeconds, "overSmsRate"),
    mail: rule(settings.rateLimitMail, hour, "overMailRate"),
    sms: rule(settings.rateLimitSms, hour, "overSmsRate"),
    mfa: rule(settings.rateLimitMfa, 60),
    passkey: rule(settings.rateLimitPasskey, fiveMinutes),
    oauth: rule(settings.rateLimitOauth, fiveMinutes),
  };
}
