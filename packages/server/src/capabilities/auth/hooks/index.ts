import { setTimeout as pause } from "node:timers/promises";
import type { Clock } from "../../../kernel/clock.ts";
import type { Database } from "../../../platform/postgres/database.ts";
import type { AuthSettings } from "../context.ts";
import { userJson } from "../user.ts";
import { type Ask, createAsk } from "./ask.ts";
import { checkedClaims } from "./claims.ts";
import { createDurations } from "./durations.ts";
import { mailPayload, smsPayload } from "./messages.ts";
import { type HookTarget, hookTarget } from "./target.ts";
import type { Hooks } from "./types.ts";
import { goOn, verdictOf } from "./verdict.ts";

export type { Claims, Hooks, Verdict } from "./types.ts";

/** No hook is set. */
export const noHooks: Hooks = {
  sendsMail: false,
  sendsSms: false,
  watchesUsers: false,
  asksOutsideForClaims: false,
  joinsSignIn: false,
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

/** Each hook's name in environment variables. */
const variables: Readonly<Record<HookName, string>> = {
  customAccessToken: "CUSTOM_ACCESS_TOKEN",
  beforeUserCreated: "BEFORE_USER_CREATED",
  afterUserCreated: "AFTER_USER_CREATED",
  passwordVerification: "PASSWORD_VERIFICATION_ATTEMPT",
  mfaVerification: "MFA_VERIFICATION_ATTEMPT",
  sendEmail: "SEND_EMAIL",
  sendSms: "SEND_SMS",
};

/** `null` for a hook that is off. @throws SettingError for one that cannot be asked */
const targetOf = (settings: AuthSettings, name: HookName): HookTarget | null =>
  settings[`${name}HookEnabled`]
    ? hookTarget(`MAINSTAY_HOOK_${variables[name]}`, settings[`${name}HookUri`], settings[`${name}HookSecrets`])
    : null;

/** @throws SettingError for the first hook that is on and cannot be asked */
export function assertHooks(settings: AuthSettings): void {
  for (const name of Object.keys(variables) as HookName[]) targetOf(settings, name);
}

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
  const open = (name: HookName, wireName: string): Ask | null => {
    const target = targetOf(settings, name);
    return target === null ? null : createAsk(wireName, target, needs);
  };
  const token = open("customAccessToken", "customize-access-token");
  const before = open("beforeUserCreated", "before-user-created");
  const after = open("afterUserCreated", "after-user-created");
  const password = open("passwordVerification", "password-verification");
  const mfa = open("mfaVerification", "mfa-verification");
  const email = open("sendEmail", "send-email");
  const sms = open("sendSms", "send-sms");
  const durations = createDurations();

  return {
    ...noHooks,
    sendsMail: email !== null,
    sendsSms: sms !== null,
    watchesUsers: before !== null || after !== null,
    asksOutsideForClaims: targetOf(settings, "customAccessToken")?.kind === "http",
    joinsSignIn: token !== null || password !== null,
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
