import type { Hooks, Verdict } from "./types.ts";

export type { Claims, Hooks, Verdict } from "./types.ts";

const goOn: Verdict = { rejectedBecause: null, endsSessions: false };

/** No hook is set. */
export const noHooks: Hooks = {
  sendsMail: false,
  sendsSms: false,
  customizeAccessToken: async (claims) => claims,
  beforeUserCreated: async () => {},
  afterUserCreated: async () => {},
  onPasswordAttempt: async () => goOn,
  onMfaAttempt: async () => goOn,
  sendMail: async () => {},
  sendSms: async () => {},
};
