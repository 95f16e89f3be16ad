import { createHmac, createSecretKey } from "node:crypto";
import type { Clock } from "../../../kernel/clock.ts";
import type { Values } from "../../../kernel/settings.ts";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { problems } from "../problems.ts";
import { attemptStore, type Entered, type Entering, type Lockouts, type Settling } from "./attempt-store.ts";
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
  /** What `succeeded` does, for a statement that does more; `null` for nothing. */
  readonly success: Settling | null;
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
  /** `enter` in two halves, for a statement that does more between them. `null` where nothing is counted. */
  entering(secret: Secret, account: string, network: string): Entering | null;
  /** @throws Problem 429 `over_request_rate_limit` while there is a wait */
  admit(entering: Entering, entered: Entered): Attempt;
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
  const shiftSeconds = () => (clock.nowMs() - Date.now()) / 1_000;
  // Made once: HMAC by bytes would make one each time.
  const key = createSecretKey(secret);
  const hash = (text: string) => createHmac("sha256", key).update(text).digest("hex");

  const entering: Lockout["entering"] = (kind, account, network) => {
    if (!settings.rateLimits) return null;
    const subject = `${kind}\0${account}`;
    const keys = { networkKey: hash(`${subject}\0${network}`), accountKey: hash(subject) };
    return { ...lockouts, ...keys, shiftSeconds: shiftSeconds() };
  };
  const admit: Lockout["admit"] = (
    { networkKey, accountKey, networkAfter, accountAfter },
    { isAdmitted, isTrusted, waitSeconds },
  ) => {
    if (!isAdmitted) throw problems.overRequestRate(waitSeconds);
    const settled = (trustedDays: number | null): Settling => ({
      ...{ networkKey, accountKey, networkAfter, accountAfter, isTrusted, trustedDays },
      shiftSeconds: shiftSeconds(),
    });
    return {
      isLast: waitSeconds > 0,
      succeeded: () => attemptStore.settle(db, settled(settings.knownNetworkDays)),
      takenBack: () => attemptStore.settle(db, settled(null)),
      get success() {
        return settled(settings.knownNetworkDays);
      },
    };
  };
  return {
    entering,
    admit,
    async enter(kind, account, network) {
      const attempt = entering(kind, account, network);
      return attempt === null ? unlimited : admit(attempt, await attemptStore.enter(db, attempt));
    },
    sweep: () => attemptStore.sweep(db, lockouts.forgetSeconds, shiftSeconds()),
  };
}

/** Where nothing is counted. */
export const unlimited: Attempt = {
  isLast: false,
  succeeded: async () => {},
  takenBack: async () => {},
  success: null,
};
