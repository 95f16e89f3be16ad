import { createHmac } from "node:crypto";
import type { Clock } from "../../../kernel/clock.ts";
import type { Values } from "../../../kernel/settings.ts";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { problems } from "../problems.ts";
import { type AttemptKeys, attemptStore, type Lockouts } from "./attempt-store.ts";
import type { protectionSettings } from "./settings.ts";

/** What is guessed at. Each is counted apart: who has the password and signs in with it gets no new tries at the code. */
export type Secret = "password" | "code";

/** One try at a secret, counted as a failure until it is known not to be one. */
export interface Attempt {
  /** Whether the account has to wait now, should the secret be wrong. */
  readonly isLast: boolean;
  /** The secret was right, and is used up where it is for one use. */
  succeeded(): Promise<void>;
  /** It was never looked at. */
  takenBack(): Promise<void>;
}

/**
 * Makes guessing slow, at passwords and at codes: of an authenticator app, of a text message or mail, recovery codes, nonces. Failures are counted by account and network, and more of them by account from everywhere; beyond
 * that each takes twice the wait of the one before, never more than `lockoutMaxSeconds`. A network the account was signed in from is
 * only held to its own count: whoever guesses from elsewhere does not lock the owner out. Accounts that do not exist are treated
 * alike (threats A12, A16).
 *
 * With the settings' defaults somebody who has the password gets some 200 guesses at a code in the first 24 hours, from however many
 * networks (100, then one per wait of 30 s to 15 min), and 96 on each day after; from one network 110 and 96, from one of the
 * owner's these besides. An authenticator app's code is one of a million and three steps count, so that is 0.06 % on the first day and
 * 0.03 % on each other; a third of it for a code that was sent, which has five tries besides. An `account_locked` in the audit log
 * tells of it each time.
 */
export interface Lockout {
  /**
   * @param account `accountKey` of the name as it is stored, or of the user's id for second factors
   * @throws Problem 429 `over_request_rate_limit` while there is a wait
   */
  enter(secret: Secret, account: string, network: string): Promise<Attempt>;
  /** Forgets what counts no more. @returns how many */
  sweep(): Promise<number>;
}

export function createLockout(needs: {
  readonly db: Queryable;
  readonly settings: Values<typeof protectionSettings> & { readonly rateLimits: boolean };
  readonly clock: Clock;
  /** Keys are hashed with it. */
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
    async enter(secret, account, network) {
      if (!settings.rateLimits) return unlimited;
      const subject = `${secret}\0${account}`;
      const keys: AttemptKeys = { network: hash(`${subject}\0${network}`), account: hash(subject) };
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
