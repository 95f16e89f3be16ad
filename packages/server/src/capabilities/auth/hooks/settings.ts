import { type BooleanSetting, flag, type Settings, type StringSetting, text } from "../../../kernel/settings.ts";

type HookSettings<N extends string> = Record<`${N}HookEnabled`, BooleanSetting> &
  Record<`${N}HookUri` | `${N}HookSecrets`, StringSetting<string | null>>;

/** The three settings every hook has. @param variable its name in environment variables @param when ends "Whether the app is asked …" */
function hookSettings<const N extends string>(name: N, variable: string, when: string): HookSettings<N> {
  const env = (what: string) => [`MAINSTAY_HOOK_${variable}_${what}`, `GOTRUE_HOOK_${variable}_${what}`];
  const settings = {
    [`${name}HookEnabled`]: flag({ env: env("ENABLED"), default: false, summary: `Whether the app is asked ${when}.` }),
    [`${name}HookUri`]: text<string | null>({
      env: env("URI"),
      default: null,
      summary: "Where: an https URL, or `pg-functions://postgres/<schema>/<function>`.",
    }),
    [`${name}HookSecrets`]: text<string | null>({
      env: env("SECRETS"),
      default: null,
      isSecret: true,
      summary: "What requests to an https URL are signed with: `v1,whsec_<base64>`, several divided by `|`.",
    }),
  };
  // Names put together at run time have no type of their own; the two template types above say what they are.
  return settings as unknown as HookSettings<N>;
}

/** The app's say in what happens at sign-in, hook by hook (Supabase docs, Auth Hooks). */
export const hooksSettings = {
  ...hookSettings("customAccessToken", "CUSTOM_ACCESS_TOKEN", "what claims an access token carries"),
  ...hookSettings("beforeUserCreated", "BEFORE_USER_CREATED", "before an account is made"),
  ...hookSettings("afterUserCreated", "AFTER_USER_CREATED", "after an account was made"),
  ...hookSettings("passwordVerification", "PASSWORD_VERIFICATION_ATTEMPT", "when a password is tried"),
  ...hookSettings("mfaVerification", "MFA_VERIFICATION_ATTEMPT", "when a second factor is tried"),
  ...hookSettings("sendEmail", "SEND_EMAIL", "to deliver mails, in place of SMTP"),
  ...hookSettings("sendSms", "SEND_SMS", "to deliver text messages, in place of a provider"),
} satisfies Settings;
