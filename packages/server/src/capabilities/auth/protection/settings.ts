import { integer, type Settings } from "../../../kernel/settings.ts";

/** Against guessing, and for noticing what the guessing led to. */
export const protectionSettings = {
  lockoutAfter: integer<number>({
    env: ["MAINSTAY_LOCKOUT_AFTER"],
    default: 10,
    unit: "attempts",
    min: 1,
    summary:
      "Wrong passwords for an account from one network, or wrong codes, until it has to wait there, longer after each further one.",
  }),
  lockoutAccountAfter: integer<number>({
    env: ["MAINSTAY_LOCKOUT_ACCOUNT_AFTER"],
    default: 100,
    unit: "attempts",
    min: 1,
    summary:
      "Wrong passwords for an account from anywhere, or wrong codes, until all networks have to wait that it was never signed in from.",
  }),
  lockoutSeconds: integer<number>({
    env: ["MAINSTAY_LOCKOUT_SECONDS"],
    default: 30,
    unit: "s",
    min: 1,
    max: 86_400,
    summary: "The first such wait; each wrong password or code after it doubles it.",
  }),
  lockoutMaxSeconds: integer<number>({
    env: ["MAINSTAY_LOCKOUT_MAX_SECONDS"],
    default: 900,
    unit: "s",
    min: 1,
    max: 604_800,
    summary: "The longest such wait.",
  }),
  lockoutForgetSeconds: integer<number>({
    env: ["MAINSTAY_LOCKOUT_FORGET_SECONDS"],
    default: 86_400,
    unit: "s",
    min: 60,
    max: 31_536_000,
    summary: "After so long without a wrong password, or code, they are counted anew.",
  }),
  knownNetworkDays: integer<number>({
    env: ["MAINSTAY_KNOWN_NETWORK_DAYS"],
    default: 90,
    unit: "days",
    min: 0,
    max: 3_650,
    summary: "How long a network an account was signed in from is not locked out by guesses from elsewhere.",
  }),
  knownDeviceDays: integer<number>({
    env: ["MAINSTAY_KNOWN_DEVICE_DAYS"],
    default: 365,
    unit: "days",
    min: 1,
    max: 3_650,
    summary: "How long a device is known that is not used. Signing in from an unknown one is told by mail.",
  }),
} satisfies Settings;
