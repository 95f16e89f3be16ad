import { isObject } from "../request.ts";
import type { Profile } from "./types.ts";

/** Longest text kept of a profile, in characters: pictures are long URLs, nothing is longer. */
const maxTextLength = 2_048;
/** Longest subject, in characters (OpenID Connect Core §2: 255 ASCII; some services have longer ones). */
const maxSubjectLength = 512;

/** What providers say, in one vocabulary. Empty texts are left out. */
export interface ProfileParts {
  readonly issuer: string;
  readonly subject: string;
  readonly email: string;
  readonly isEmailVerified: boolean;
  readonly name?: string;
  readonly picture?: string;
  readonly username?: string;
  /** Further claims under their standard names (OpenID Connect Core §5.1). */
  readonly claims?: Readonly<Record<string, string>>;
  /** `custom_claims`: what only this provider says. */
  readonly custom?: Readonly<Record<string, unknown>>;
}

/** A profile with the names apps read from `user_metadata` (Supabase docs, Identities), the old ones among them. */
export function profileOf(parts: ProfileParts): Profile {
  const email = parts.email.trim();
  const isEmailVerified = email !== "" && parts.isEmailVerified;
  const texts = {
    iss: parts.issuer,
    sub: parts.subject,
    provider_id: parts.subject,
    name: parts.name,
    full_name: parts.name,
    picture: parts.picture,
    avatar_url: parts.picture,
    user_name: parts.username,
    preferred_username: parts.username,
    email,
    ...parts.claims,
  };
  const custom = Object.entries(parts.custom ?? {}).filter(([, value]) => value !== "" && value !== undefined);
  return {
    subject: parts.subject,
    email,
    isEmailVerified,
    data: {
      ...Object.fromEntries(Object.entries(texts).filter(([, value]) => value !== undefined && value !== "")),
      email_verified: isEmailVerified,
      phone_verified: false,
      ...(custom.length === 0 ? {} : { custom_claims: Object.fromEntries(custom) }),
    },
  };
}

/**
 * The profile as it can be stored: a provider's texts are strangers' texts. Characters jsonb has no room for are taken out, long
 * texts cut, and `custom_claims` left out when all of it is larger than `maxBytes`. `null` when the subject itself is unusable: it
 * must not be changed, or two accounts would become one.
 */
export function storableProfile(profile: Profile, maxBytes: number): Profile | null {
  const { subject } = profile;
  if (subject === "" || subject.length > maxSubjectLength || clean(subject) !== subject) return null;
  const { custom_claims: custom, ...rest } = cleanObject(profile.data, 4);
  const whole = custom === undefined ? rest : { ...rest, custom_claims: custom };
  return { ...profile, data: Buffer.byteLength(JSON.stringify(whole)) <= maxBytes ? whole : fitting(rest, maxBytes) };
}

/** Longest texts go first until it fits. */
function fitting(data: Readonly<Record<string, unknown>>, maxBytes: number): Readonly<Record<string, unknown>> {
  const entries = Object.entries(data).toSorted(([, a], [, b]) => lengthOf(a) - lengthOf(b));
  while (entries.length > 0 && Buffer.byteLength(JSON.stringify(Object.fromEntries(entries))) > maxBytes) entries.pop();
  return Object.fromEntries(entries);
}

const lengthOf = (value: unknown): number => JSON.stringify(value)?.length ?? 0;

const clean = (text: string): string => text.toWellFormed().replaceAll("\0", "").slice(0, maxTextLength).toWellFormed();

function cleanObject(value: Readonly<Record<string, unknown>>, depth: number): Record<string, unknown> {
  const entries = Object.entries(value)
    .filter(([key]) => key !== "__proto__")
    .map(([key, item]) => [clean(key), cleanValue(item, depth - 1)] as const);
  return Object.fromEntries(entries.filter(([, item]) => item !== undefined));
}

function cleanValue(value: unknown, depth: number): unknown {
  if (typeof value === "string") return clean(value);
  if (typeof value !== "object" || value === null) return value;
  if (depth <= 0) return undefined;
  if (Array.isArray(value)) return value.map((item) => cleanValue(item, depth - 1) ?? null);
  return isObject(value) ? cleanObject(value, depth) : undefined;
}
