import { setTimeout as pause } from "node:timers/promises";
import type { Clock } from "../../../kernel/clock.ts";
import type { Database } from "../../../platform/postgres/database.ts";
import type { AuthSettings } from "../context.ts";
import { userJson } from "../user.ts";
import { type Ask, createAsk } from "./ask.ts";
import { checkedClaims } from "./claims.ts";
import { createDurations } from "./durations.ts";
import { mailPayload, smsPayload } from "./messages.ts";
import { hookTarget } from "./target.ts";
import type { Hooks } from "./types.ts";
import { goOn, verdictOf } from "./verdict.ts";

export type { Claims, Hooks, Verdict } from "./types.ts";

/** No hook is set. */
export const noHooks: Hooks = {
  sendsMail: false,
  sendsSms: false,
  watchesUsers: false,
  customizeAccessToken: async (claims) => claims,
  beforeUserCreated: async () => {},
  afterUserCreated: async () => {},
  onPasswordAttempt: async () => goOn,
  onMfaAttempt: async () => goOn,
  sendMail: async () => {},
  sendSms: async () => {},
};

type HookName = {
  [K in keyof AuthSettings]: K extends `${infer N}HookEnabled` ? N : never;
}[keyof AuthSettings];

/**
 * The hooks the settings name.
 * @throws SettingError for a hook that is on and cannot be asked: a say the app should have is not skipped in silence
 */
export function createHooks(needs: {
  readonly settings: AuthSettings;
  readonly db: Database;
  readonly clock: Clock;
}): Hooks {
  const { settings } = needs;
  const open = (name: HookName, wireName: string, variable: string): Ask | null => {
    if (!settings[`${name}HookEnabled`]) return null;
    const target = hookTarget(`MAINSTAY_HOOK_${variable}`, settings[`${name}HookUri`], settings[`${name}HookSecrets`]);
    return createAsk(wireName, target, needs);
  };
  const token = open("customAccessToken", "customize-access-token", "CUSTOM_ACCESS_TOKEN");
  const before = open("beforeUserCreated", "before-user-created", "BEFORE_USER_CREATED");
  const after = open("afterUserCreated", "after-user-created", "AFTER_USER_CREATED");
  const password = open("passwordVerification", "password-verification", "PASSWORD_VERIFICATION_ATTEMPT");
  const mfa = open("mfaVerification", "mfa-verification", "MFA_VERIFICATION_ATTEMPT");
  const email = open("sendEmail", "send-email", "SEND_EMAIL");
  const sms = open("sendSms", "send-sms", "SEND_SMS");
  const durations = createDurations();

  return {
    ...noHooks,
    sendsMail: email !== null,
    sendsSms: sms !== null,
    watchesUsers: before !== null || after !== null,
    ...(token && {
      async customizeAccessToken(claims, userId, method, tx) {
        const answer = await token({ user_id: userId, claims, authentication_method: method }, { tx });
        return checkedClaims("customize-access-token", claims, answer.claims);
      },
    }),
    ...(before && {
      async beforeUserCreated(user, address, tx) {
        const answer = await before({ user: userJson(user) }, { address, tx });
        // What hooks of the first hour answer in place of an error.
        verdictOf.creation(answer);
      },
    }),
    ...(after && {
      async afterUserCreated(user, address) {
        await after({ user: userJson(user) }, { address });
      },
    }),
    ...(password && {
      async onPasswordAttempt(userId, isValid) {
        if (userId === null) {
          await pause(durations.sampleMs());
          return goOn;
        }
        const answer = await durations.measured(() => password({ user_id: userId, valid: isValid }));
        return verdictOf.attempt("password-verification", answer, "password");
      },
    }),
    ...(mfa && {
      async onMfaAttempt(userId, factorId, factorType, isValid) {
        const answer = await mfa({ user_id: userId, factor_id: factorId, factor_type: factorType, valid: isValid });
        return verdictOf.attempt("mfa-verification", answer, "MFA");
      },
    }),
    ...(email && {
      async sendMail(mail) {
        await email(mailPayload(mail, settings));
      },
    }),
    ...(sms && {
      async sendSms(message) {
        await sms(smsPayload(message));
      },
    }),
  };
}
