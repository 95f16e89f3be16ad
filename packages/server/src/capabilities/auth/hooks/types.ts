import type { Queryable } from "../../../platform/postgres/database.ts";
import type { AuthMail, AuthSms } from "../messages.ts";
import type { User } from "../user.ts";

export type Claims = Readonly<Record<string, unknown>>;

/** What an app's hook says of an attempt to sign in. */
export interface Verdict {
  /** Shown to the caller; `null` lets the attempt go on. */
  readonly rejectedBecause: string | null;
  /** Ends all sessions of the user. */
  readonly endsSessions: boolean;
}

/**
 * Where the app's own code has a say (Supabase docs, Auth Hooks). Each answers at once where no hook is set. A hook that fails, takes
 * too long or answers nonsense rejects with a Problem: what it should have decided does not happen.
 */
export interface Hooks {
  /** True where the app delivers these messages itself. */
  readonly sendsMail: boolean;
  readonly sendsSms: boolean;
  /** True where claims are a matter of a server of the app's: whoever asks it holds no transaction open meanwhile. */
  readonly asksOutsideForClaims: boolean;
  /** True where a hook has a say in signing in with a password: in the attempt, or in the claims of what comes of it. */
  readonly joinsSignIn: boolean;
  /** @param tx the transaction the caller is in: a hook that is a database function runs there */
  customizeAccessToken(claims: Claims, userId: string, method: string, tx?: Queryable): Promise<Claims>;
  /** True where a hook hears of new users; others need not put one together. */
  readonly watchesUsers: boolean;
  /** Rejects with the hook's own message when the account must not be. */
  beforeUserCreated(user: User, address: string, tx?: Queryable): Promise<void>;
  afterUserCreated(user: User, address: string): Promise<void>;
  /** @param userId `null` for an account that is not there: asks nobody, and takes as long as asking would (threat A16) */
  onPasswordAttempt(userId: string | null, isValid: boolean): Promise<Verdict>;
  onMfaAttempt(userId: string, factorId: string, factorType: string, isValid: boolean): Promise<Verdict>;
  sendMail(mail: AuthMail): Promise<void>;
  sendSms(sms: AuthSms): Promise<void>;
}
