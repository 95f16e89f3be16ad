import type { Claims, Principal } from "../../kernel/principal.ts";
import { problems } from "./problems.ts";
import { claimAt, type RolePath } from "./role-path.ts";

/** What a token's claims are held against. */
export interface ClaimRules {
  readonly rolePath: RolePath;
  readonly anonymousRole: string;
  /** Audience a token must be for. With `mustName`, a token without audience is refused too. */
  readonly audience: { readonly value: string; readonly mustName: boolean } | null;
  /** Roles nobody may claim by a token of this kind. */
  readonly refusedRoles: readonly string[];
  readonly mustExpire: boolean;
  readonly leewaySeconds: number;
}

/** The role of secret keys: the one role that row level security does not hold. */
export const serviceRole = "service_role";

/** PostgreSQL cuts longer names silently (NAMEDATALEN): two roles could become one. */
const roleMaxBytes = 63;

/**
 * Turns verified claims into a principal. `text` is the payload as signed: SQL sees exactly that, so that numbers beyond
 * 2^53 survive.
 * @throws Problem `identity/token-expired` or `identity/token-claims`
 */
export function principalOf(claims: Claims, text: string, rules: ClaimRules, nowMs: number): Principal {
  const now = nowMs / 1000;
  const exp = timeClaim(claims, "exp");
  const nbf = timeClaim(claims, "nbf");
  const iat = timeClaim(claims, "iat");
  if (exp !== null && exp + rules.leewaySeconds <= now) throw problems.tokenExpired();
  if (exp === null && rules.mustExpire) throw problems.tokenClaims("JWT does not expire");
  if (nbf !== null && nbf - rules.leewaySeconds > now) throw problems.tokenClaims("JWT not yet valid");
  if (iat !== null && iat - rules.leewaySeconds > now) throw problems.tokenClaims("JWT issued at future");
  checkAudience(claims.aud, rules.audience);

  const role = roleOf(claims, rules);
  const subject = claims.sub;
  if (subject !== undefined && subject !== null && typeof subject !== "string") {
    throw problems.tokenClaims("The JWT 'sub' claim must be a string");
  }
  return Object.freeze({
    role,
    claims,
    claimsJson: text,
    subject: subject ?? null,
    isAuthenticated: role !== rules.anonymousRole,
    expiresAtMs: exp === null ? Number.POSITIVE_INFINITY : (exp + rules.leewaySeconds) * 1000,
  });
}

/** A principal for an API key that is no token, or for nobody. */
export function keyPrincipal(role: string, anonymousRole: string): Principal {
  const claims = Object.freeze({ role });
  return Object.freeze({
    role,
    claims,
    claimsJson: JSON.stringify(claims),
    subject: null,
    isAuthenticated: role !== anonymousRole,
    expiresAtMs: Number.POSITIVE_INFINITY,
  });
}

function roleOf(claims: Claims, rules: ClaimRules): string {
  const role = claimAt(claims, rules.rolePath);
  if (role === undefined || role === null) return rules.anonymousRole;
  if (typeof role !== "string" || role === "" || role.includes("\0") || Buffer.byteLength(role) > roleMaxBytes) {
    throw problems.tokenClaims(`The JWT role must be a string of 1 to ${roleMaxBytes} bytes`);
  }
  if (rules.refusedRoles.includes(role)) throw problems.tokenClaims("The JWT role is not for this issuer to give");
  return role;
}

/** RFC 7519 §2: a number of seconds, fractions allowed. */
function timeClaim(claims: Claims, name: "exp" | "nbf" | "iat"): number | null {
  const value = claims[name];
  if (value === undefined || value === null) return null;
  if (typeof value !== "number" || !Number.isFinite(value)) {
    throw problems.tokenClaims(`The JWT '${name}' claim must be a number`);
  }
  return value;
}

/** RFC 7519 §4.1.3: one audience or a list of them. */
function checkAudience(value: unknown, wanted: ClaimRules["audience"]): void {
  const audiences = Array.isArray(value) ? value : value === undefined || value === null ? [] : [value];
  if (!audiences.every((audience) => typeof audience === "string")) {
    throw problems.tokenClaims("The JWT 'aud' claim must be a string or an array of strings");
  }
  if (wanted === null || audiences.includes(wanted.value)) return;
  if (audiences.length > 0 || wanted.mustName) throw problems.tokenClaims("JWT not in audience");
}
