import { createHmac } from "node:crypto";
import type { Clock } from "../../../kernel/clock.ts";
import type { Values } from "../../../kernel/settings.ts";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { problems } from "../problems.ts";
import { type AttemptKeys, attemptStore, type Lockouts } from "./attempt-store.ts";
import type { protectionSettings } from "./settings.ts";

/** One try at a password, counted as a failure until it is known not to be one. */
export interface Attempt {
  /** Whether the account has to wait now, should the password be wrong. */
  readonly isLast: boolean;
  /** The password was right. */
  succeeded(): Promise<void>;
  /** It was never looked at. */
  takenBack(): Promise<void>;
}

/**
 * Makes guessing at passwords slow. Failures are counted by account and network, and more of them by account from everywhere; beyond
 * that each takes twice the wait of the one before, never more than `lockoutMaxSeconds`. A network the account was signed in from is
 * only held to its own count: whoever guesses from elsewhere does not lock the owner out. Accounts that do not exist are treated
 * alike (threats A12, A16).
 */
export interface Lockout {
  /**
   * @param account `accountKey` of the name as it is stored
   * @throws Problem 429 `over_request_rate_limit` while there is a wait
   */
  enter(account: string, network: string): Promise<Attempt>;
  /** Forgets what counts no more. @returns how many */
  sweep(): Promise<number>;
}

export function createLockout(needs: {
  readonly db: Queryable;
  readonly settings: Values<typeof protectionSettings> & { readonly rateLimits: boolean };
  readonly clock: Clock;
  readonly secret: Buffer;
}): Lockout {
  const { db, settings, clock, secret } = needs;
  const lockouts: Lockouts = {
    networkAfter: settings.lockoutAfter,
    accountAfter: settings.lockoutAccountAfter,
    firstSeconds: settings.lockoutSeconds,
    maxSeconds: Math.max(settings.lockoutSeconds, settings.lockoutMaxSeconds),
    forgetSeconds: settings.lockoutForgetSeconds,
  };
  // As in `createLimits`: time is the database's, and moves on only where a test moves it.
  const shiftMs = () => clock.nowMs() - Date.now();
  const hash = (text: string) => createHmac("sha256", secret).update(text).digest("hex");
  return {
    async enter(account, network) {
      if (!settings.rateLimits) return unlimited;
      const keys: AttemptKeys = { network: hash(`${account}\0${network}`), account: hash(account) };
      const { isAdmitted, isTrusted, waitSeconds } = await attemptStore.enter(db, keys, lockouts, shiftMs());
      if (!isAdmitted) throw problems.overRequestRate(waitSeconds);
      const settle = (trustedDays: number | null) =>
        attemptStore.settle(db, keys, { isTrusted, trustedDays }, lockouts, shiftMs());
      return {
        isLast: waitSeconds > 0,
        succeeded: () => settle(settings.knownNetworkDays),
        takenBack: () => settle(null),
      };
    },
    sweep: () => attemptStore.sweep(db, lockouts.forgetSeconds, shiftMs()),
  };
}

const unlimited: Attempt = { isLast: false, succeeded: async () => {}, takenBack: async () => {} };
