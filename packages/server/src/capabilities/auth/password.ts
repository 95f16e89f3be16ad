import { randomBytes } from "node:crypto";
import { type Algorithm, hash as argon2Hash, verify as argon2Verify } from "@node-rs/argon2";
import type { Values } from "../../kernel/settings.ts";
import { createBcrypt, isBcryptHash } from "./bcrypt.ts";
import { createBounded } from "./bounded.ts";
import { problems, type WeakPasswordReason } from "./problems.ts";
import type { authSettings } from "./settings.ts";

/** Whether a password is known to attackers. Gets the password as typed; may ask a file or a service. */
export type IsBlocked = (password: string) => boolean | Promise<boolean>;

export interface Weakness {
  readonly message: string;
  readonly reasons: readonly WeakPasswordReason[];
}

export interface Passwords {
  /** A new argon2id hash in PHC form. @throws Problem 429 when too many wait */
  hash(password: string): Promise<string>;
  /**
   * Whether `password` is the one `stored` was made of, `null` or a text of no known form never being it: the same work is
   * done for these, so that time does not tell whether an account exists (threat A16).
   * @throws Problem 429 when too many wait
   */
  isMatch(password: string, stored: string | null): Promise<boolean>;
  /** True when `stored` was made in an older way and should be made anew while the password is at hand. */
  isOutdated(stored: string): boolean;
  /** What is wrong with it as a new password; `null` when it will do. @throws Problem when it is too long to look at */
  weaknessOf(password: string): Promise<Weakness | null>;
  /** @throws Problem 422 `weak_password` */
  assertStrong(password: string): Promise<void>;
  close(): Promise<void>;
}

/** Hashing off the event loop, a bounded number at a time (threat A26). The caller closes it. */
export function createPasswords(settings: Values<typeof authSettings>, isBlocked: IsBlocked = () => false): Passwords {
  const bcrypt = createBcrypt();
  const bounded = createBounded(settings.hashConcurrency, settings.hashQueueLimit, () =>
    problems.overRateLimit("over_request_rate_limit", 1),
  );
  const options = {
    // The enum's value for argon2id: the name itself cannot be imported from an ambient const enum.
    algorithm: 2 as Algorithm,
    memoryCost: settings.hashMemoryKib,
    timeCost: settings.hashPasses,
    parallelism: 1,
  };
  const current = `$argon2id$v=19$m=${settings.hashMemoryKib},t=${settings.hashPasses},p=1$`;
  // Of no password at all: 128 random bits nobody has seen.
  let nobodys: Promise<string> | null = null;

  const weaknessOf = async (password: string): Promise<Weakness | null> => {
    if (Buffer.byteLength(password) > settings.passwordMaxBytes) {
      throw problems.validationFailed(`Password cannot be longer than ${settings.passwordMaxBytes} bytes`);
    }
    // Characters as people count them: one emoji is one, whatever it takes to write it.
    if (lengthOf(password) < settings.passwordMinLength) {
      const message = `Password should be at least ${settings.passwordMinLength} characters.`;
      return { message, reasons: ["length"] };
    }
    return (await isBlocked(password))
      ? {
          message: "Password is known to be weak and easy to guess, please choose a different one.",
          reasons: ["pwned"],
        }
      : null;
  };

  return {
    hash: (password) => bounded(() => argon2Hash(bytesOf(password), options)),
    isMatch: (password, stored) =>
      bounded(async () => {
        if (stored !== null && isBcryptHash(stored)) return bcrypt.isMatch(password, stored);
        if (stored?.startsWith("$argon2")) return argon2Verify(stored, bytesOf(password)).catch(() => false);
        nobodys ??= argon2Hash(randomBytes(16), options);
        await argon2Verify(await nobodys, bytesOf(password));
        return false;
      }),
    isOutdated: (stored) => !stored.startsWith(current),
    weaknessOf,
    async assertStrong(password) {
      const weakness = await weaknessOf(password);
      if (weakness !== null) throw problems.weakPassword(weakness.message, weakness.reasons);
    },
    close: () => bcrypt.close(),
  };
}

/** NIST SP 800-63B-4 §3.1.1.2: normalised, so that another keyboard types the same password. All bytes count, NUL too. */
const bytesOf = (password: string): Buffer => Buffer.from(password.normalize("NFKC"));

const lengthOf = (password: string): number => [...new Intl.Segmenter().segment(password)].length;
