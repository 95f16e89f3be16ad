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
  customizeAccessToken(claims: Claims, userId: string, method: string): Promise<Claims>;
  /** Rejects with the hook's own message when the account must not be. */
  beforeUserCreated(user: User, address: string): Promise<void>;
  afterUserCreated(user: User, address: string): Promise<void>;
  onPasswordAttempt(userId: string, isValid: boolean): Promise<Verdict>;
  onMfaAttempt(userId: string, factorId: string, factorType: string, isValid: boolean): Promise<Verdict>;
  sendMail(mail: AuthMail): Promise<void>;
  sendSms(sms: AuthSms): Promise<void>;
}
