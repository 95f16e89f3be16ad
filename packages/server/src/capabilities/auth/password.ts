import { randomBytes } from "node:crypto";
import { type Algorithm, hash as argon2Hash, verify as argon2Verify } from "@node-rs/argon2";
import type { Values } from "../../kernel/settings.ts";
import { createBcrypt, isBcryptHash } from "./bcrypt.ts";
import { createBounded } from "./bounded.ts";
import { isFirebaseHash, isFirebaseMatch } from "./firebase-scrypt.ts";
import { problems, type WeakPasswordReason } from "./problems.ts";
import { hasOneOfEach, requiredCharacters } from "./required-characters.ts";
import type { authSettings } from "./settings.ts";
import { yieldToRequests } from "./worker-priority.ts";

/**
 * Whether a password is known to attackers. Gets the password as typed; may ask a file or a service.
 * @throws when it must know and cannot
 */
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
  /**
   * What is wrong with it as a new password; `null` when it will do, or nobody can say.
   * @throws Problem when it is too long to look at
   */
  weaknessOf(password: string): Promise<Weakness | null>;
  /** @throws Problem 422 `weak_password`; 500 when it must be known whether the password was in a breach, and is not */
  assertStrong(password: string): Promise<void>;
  close(): Promise<void>;
}

/** Hashing off the event loop, a bounded number at a time (threat A26). The caller closes it. */
export function createPasswords(settings: Values<typeof authSettings>, isBlocked: IsBlocked = () => false): Passwords {
  const bcrypt = createBcrypt();
  const inTurn = createBounded(settings.hashConcurrency, settings.hashQueueLimit, () => problems.overRequestRate(1));
  let isYielding = false;
  const bounded = async <T>(work: () => Promise<T>): Promise<T> => {
    const result = await inTurn(work);
    if (!isYielding) yieldToRequests();
    isYielding = true;
    return result;
  };
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

  const characterSets = requiredCharacters(settings.passwordRequiredCharacters);

  const examine = async (password: string, isKnown: IsBlocked): Promise<Weakness | null> => {
    if (Buffer.byteLength(password) > settings.passwordMaxBytes) {
      throw problems.validationFailed(`Password cannot be longer than ${settings.passwordMaxBytes} bytes`);
    }
    const messages: string[] = [];
    const reasons: WeakPasswordReason[] = [];
    // Characters as people count them: one emoji is one, whatever it takes to write it.
    if (lengthOf(password) < settings.passwordMinLength) {
      reasons.push("length");
      messages.push(`Password should be at least ${settings.passwordMinLength} characters.`);
    }
    if (!hasOneOfEach(password, characterSets)) {
      reasons.push("characters");
      messages.push(`Password should contain at least one character of each: ${characterSets.join(", ")}.`);
    }
    if (reasons.length === 0 && (await isKnown(password))) {
      reasons.push("pwned");
      messages.push("Password is known to be weak and easy to guess, please choose a different one.");
    }
    return reasons.length === 0 ? null : { message: messages.join(" "), reasons };
  };

  return {
    hash: (password) => bounded(() => argon2Hash(bytesOf(password), options)),
    isMatch: (password, stored) =>
      bounded(async () => {
        if (stored !== null && isBcryptHash(stored)) return bcrypt.isMatch(password, stored);
        if (stored !== null && isFirebaseHash(stored)) return isFirebaseMatch(password, stored);
        if (stored?.startsWith("$argon2")) return argon2Verify(stored, bytesOf(password)).catch(() => false);
        nobodys ??= argon2Hash(randomBytes(16), options);
        await argon2Verify(await nobodys, bytesOf(password));
        return false;
      }),
    isOutdated: (stored) => !stored.startsWith(current),
    // Said beside a session that is open already: not to know is no reason to lose it.
    weaknessOf: (password) => examine(password, (candidate) => (async () => isBlocked(candidate))().catch(() => false)),
    async assertStrong(password) {
      const weakness = await examine(password, isBlocked);
      if (weakness !== null) throw problems.weakPassword(weakness.message, weakness.reasons);
    },
    close: () => bcrypt.close(),
  };
}

/** NIST SP 800-63B-4 §3.1.1.2: normalised, so that another keyboard types the same password. All bytes count, NUL too. */
const bytesOf = (password: string): Buffer => Buffer.from(password.normalize("NFKC"));

const characters = new Intl.Segmenter();

const lengthOf = (password: string): number => [...characters.segment(password)].length;
