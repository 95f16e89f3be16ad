/** Kinds of second factors (Supabase docs, Multi-Factor Authentication). */
export type FactorType = "totp" | "phone" | "webauthn" | "recovery_code";

/** One second factor of a user. Times are RFC 3339 UTC texts with microseconds. */
export interface Factor {
  readonly id: string;
  readonly type: FactorType;
  readonly isVerified: boolean;
  /** `""` for none. */
  readonly friendlyName: string;
  /** E.164 digits without `+`; `null` unless it is a phone. */
  readonly phone: string | null;
  /** Sealed, see secrets.ts; `null` unless it is an authenticator app. */
  readonly storedSecret: string | null;
  /** What WebAuthn keeps of a key; `null` until it was created. */
  readonly credential: unknown;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly lastChallengedAt: string | null;
}

/** How a session says in `amr` that this kind was shown (Supabase docs, JWT Claims Reference). */
export const methodOf = {
  totp: "totp",
  phone: "mfa/phone",
  webauthn: "mfa/webauthn",
  recovery_code: "mfa/recovery_code",
} as const satisfies Record<FactorType, string>;

export type SecondMethod = (typeof methodOf)[FactorType];

/** A factor as clients read it. Never its secret, credential or codes (threat A19). */
export function factorJson(factor: Factor): Record<string, unknown> {
  return {
    id: factor.id,
    ...(factor.friendlyName === "" ? {} : { friendly_name: factor.friendlyName }),
    factor_type: factor.type,
    status: factor.isVerified ? "verified" : "unverified",
    ...(factor.phone === null ? {} : { phone: factor.phone }),
    created_at: factor.createdAt,
    updated_at: factor.updatedAt,
    ...(factor.lastChallengedAt === null ? {} : { last_challenged_at: factor.lastChallengedAt }),
  };
}

/**
 * Whether a factor is out of reach for a session: one not verified yet, of a user who has others that this session did not
 * show. Verifying it would be a way around them (threat A23).
 */
export function isBeyond(factor: Factor, all: readonly Factor[], aal: string): boolean {
  return !factor.isVerified && aal !== "aal2" && all.some((other) => other.isVerified);
}
