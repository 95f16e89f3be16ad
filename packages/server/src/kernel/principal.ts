/** Claims of a verified token, or those we made up for an API key. Null-prototype or plain JSON object; never mutated. */
export type Claims = Readonly<Record<string, unknown>>;

/**
 * Who is asking, settled once per request before anything is looked up. Immutable and shared: the same token gives the
 * same object while the token cache holds it.
 */
export interface Principal {
  /** The database role every statement of this request runs as: `anon`, `authenticated`, `service_role`, or the app's own. */
  readonly role: string;
  readonly claims: Claims;
  /** `claims` as JSON text, serialised once per token: what SQL sees as `request.jwt.claims`. */
  readonly claimsJson: string;
  /** The `sub` claim: the user's id. `null` for API keys. */
  readonly subject: string | null;
  /** True when a token or key above anonymous was presented and verified: decides 403 over 401 where a dialect tells them apart. */
  readonly isAuthenticated: boolean;
  /** Unix milliseconds after which this principal must not be used. `Infinity` for keys without expiry. */
  readonly expiresAtMs: number;
}
