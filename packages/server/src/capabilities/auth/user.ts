import type { AccessToken } from "./tokens.ts";

/** One way a session proved who it is (RFC 8176's `amr`, in GoTrue's form). `timestamp` in Unix seconds. */
export interface AuthenticationMethod {
  readonly method: string;
  readonly timestamp: number;
}

/** An account. Times are RFC 3339 UTC texts with microseconds, `null` when it has not happened. */
export interface User {
  readonly id: string;
  readonly aud: string;
  readonly role: string;
  /** `""` when there is none, as everywhere in this protocol. */
  readonly email: string;
  readonly phone: string;
  readonly emailConfirmedAt: string | null;
  readonly phoneConfirmedAt: string | null;
  readonly confirmedAt: string | null;
  readonly lastSignInAt: string | null;
  readonly invitedAt: string | null;
  readonly confirmationSentAt: string | null;
  readonly recoverySentAt: string | null;
  readonly emailChange: string;
  readonly emailChangeSentAt: string | null;
  readonly phoneChange: string;
  readonly phoneChangeSentAt: string | null;
  readonly reauthenticationSentAt: string | null;
  readonly bannedUntil: string | null;
  readonly isBanned: boolean;
  readonly deletedAt: string | null;
  readonly appMetadata: Readonly<Record<string, unknown>>;
  readonly userMetadata: Readonly<Record<string, unknown>>;
  readonly isAnonymous: boolean;
  readonly createdAt: string;
  readonly updatedAt: string;
  /** Ready for the wire (Supabase docs, Identities; Multi-Factor Authentication). */
  readonly identities: readonly Readonly<Record<string, unknown>>[];
  readonly factors: readonly Readonly<Record<string, unknown>>[];
}

/**
 * A user as clients read it (Supabase docs, Users): times that are not are left out. Never a hash or a token (threat
 * A19).
 */
export function userJson(user: User): Record<string, unknown> {
  const times = {
    email_confirmed_at: user.emailConfirmedAt,
    phone_confirmed_at: user.phoneConfirmedAt,
    confirmed_at: user.confirmedAt,
    invited_at: user.invitedAt,
    confirmation_sent_at: user.confirmationSentAt,
    recovery_sent_at: user.recoverySentAt,
    new_email: user.emailChange || null,
    email_change_sent_at: user.emailChangeSentAt,
    new_phone: user.phoneChange || null,
    phone_change_sent_at: user.phoneChangeSentAt,
    reauthentication_sent_at: user.reauthenticationSentAt,
    last_sign_in_at: user.lastSignInAt,
    banned_until: user.bannedUntil,
    deleted_at: user.deletedAt,
  };
  return {
    id: user.id,
    aud: user.aud,
    role: user.role,
    email: user.email,
    phone: user.phone,
    ...Object.fromEntries(Object.entries(times).filter(([, value]) => value !== null)),
    app_metadata: user.appMetadata,
    user_metadata: user.userMetadata,
    identities: user.identities,
    ...(user.factors.length > 0 ? { factors: user.factors } : {}),
    created_at: user.createdAt,
    updated_at: user.updatedAt,
    is_anonymous: user.isAnonymous,
  };
}

/** A signed-in user: what sign-up, sign-in and refresh give. */
export interface Session {
  readonly id: string;
  readonly access: AccessToken;
  readonly refreshToken: string;
  readonly user: User;
  /** The provider's own tokens after sign-in with one: for the app, kept nowhere. */
  readonly providerToken?: string;
  readonly providerRefreshToken?: string;
  readonly weakPassword?: { readonly message: string; readonly reasons: readonly string[] };
}

/** A session as clients read it: OAuth's token response (RFC 6749 §5.1), and besides it `expires_at` and the user. */
export function sessionJson(session: Session, accessTokenSeconds: number): Record<string, unknown> {
  return {
    access_token: session.access.token,
    token_type: "bearer",
    expires_in: accessTokenSeconds,
    expires_at: session.access.expiresAt,
    refresh_token: session.refreshToken,
    user: userJson(session.user),
    ...(session.providerToken === undefined ? {} : { provider_token: session.providerToken }),
    ...(session.providerRefreshToken === undefined ? {} : { provider_refresh_token: session.providerRefreshToken }),
    ...(session.weakPassword === undefined ? {} : { weak_password: session.weakPassword }),
  };
}
