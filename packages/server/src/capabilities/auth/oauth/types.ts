import type { Fields } from "../request.ts";

/** Who somebody is, as a provider says it. */
export interface Profile {
  /** The provider's own name for the account: the only thing in here that never changes. */
  readonly subject: string;
  /** As the provider spells it; `""` when it gave none. */
  readonly email: string;
  /** True only where the provider says so, or promises to give out no other (threat A06). */
  readonly isEmailVerified: boolean;
  /** `identity_data`, in GoTrue's names. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** What a provider's token endpoint gave (RFC 6749 §5.1). */
export interface ProviderTokens {
  readonly accessToken: string;
  readonly refreshToken: string | null;
  /** The whole answer: some providers say there who it is. */
  readonly answer: Fields;
}

/** Asks a provider's API, as the person who signed in. */
export interface ProfileSource {
  readonly tokens: ProviderTokens;
  /** Base of the API, without a slash at the end. */
  readonly api: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** GET with the access token. @throws Problem when the answer is no JSON, or none */
  get(url: string, headers?: Readonly<Record<string, string>>): Promise<unknown>;
}

/** A service that speaks OAuth 2.0 and has its own way of saying who it is. */
export interface Oauth2Rules {
  /** @param url What the operator set in place of the service's own hosts: an enterprise server, a test */
  endpoints(url: string | null): { readonly authorize: string; readonly token: string; readonly api: string };
  profile(source: ProfileSource): Promise<Profile>;
}

/** A service whose ID tokens (OpenID Connect Core §2) say who it is. */
export interface OidcRules {
  /** Where its configuration is discovered: never from a token or a request (threat A01). */
  issuer(url: string | null): string;
  /** Whether a token's `iss` is this service's. @param discovered The issuer that its configuration names */
  isIssuer(claims: Fields, discovered: string): boolean;
  profile(claims: Fields, discovered: string): Profile;
  /** Another client of the same operator may have asked for the token (`azp`): an Android app for its server. */
  readonly isAskedByOthers?: boolean;
  /** What the token does not say is asked for at the userinfo endpoint, in the redirect flow (OpenID Connect Core §5.3, §5.4). */
  readonly asksUserInfo?: boolean;
  /** Its tokens never carry a nonce that could be compared. */
  readonly hasNoNonce?: boolean;
}

/** What there is to know of one service; `providers/` has one each. */
export interface ProviderDefinition {
  readonly name: string;
  readonly scopes: readonly string[];
  /** `code_challenge` of ours besides the app's (RFC 7636, S256 only). */
  readonly usesPkce: boolean;
  /** How the client says who it is (RFC 6749 §2.3.1). */
  readonly clientAuth: "basic" | "post";
  readonly authorizeParams?: Readonly<Record<string, string>>;
  /** The answer comes as a form that the browser posts. */
  readonly isFormPost?: boolean;
  /** Goes before `oidc` for codes. */
  readonly oauth2?: Oauth2Rules;
  /** For codes without `oauth2`, and for tokens that apps send. */
  readonly oidc?: OidcRules;
  /** Its refresh tokens are to be revoked with the account: the path of the endpoint below the issuer (RFC 7009). */
  readonly revocationPath?: string;
}

/** What the operator said of one provider. */
export interface ProviderOptions {
  /** All that a token may be made out to; the first is ours in the redirect flow. */
  readonly clientIds: readonly string[];
  /** `""` when there is none: then only tokens that apps send are taken. */
  readonly secret: string;
  readonly redirectUri: string | null;
  readonly url: string | null;
  readonly isEmailOptional: boolean;
  readonly skipsNonceCheck: boolean;
  /** Apple: what the secret is signed with, in place of a ready one. */
  readonly signing: { readonly teamId: string; readonly keyId: string; readonly privateKey: string } | null;
}

/** One way through a provider, from `/authorize` to the answer. */
export interface Authorization {
  readonly state: string;
  readonly codeVerifier: string;
  readonly nonce: string;
  /** Besides the provider's own. */
  readonly scopes: readonly string[];
  readonly params: Readonly<Record<string, string>>;
}

export interface IdTokenCheck {
  readonly token: string;
  /** For `at_hash`; `""` for none. */
  readonly accessToken: string;
}

/** A provider that is on. Holds nothing of any one sign-in (threat A25). */
export interface Provider {
  readonly name: string;
  readonly isEmailOptional: boolean;
  readonly skipsNonceCheck: boolean;
  /** False without a secret. */
  readonly hasRedirectFlow: boolean;
  readonly hasIdTokens: boolean;
  readonly keepsRefreshToken: boolean;
  authorizationUrl(authorization: Authorization): Promise<string>;
  /** Redeems a code. @param answer What came back to `/callback` */
  authenticate(
    answer: URLSearchParams,
    authorization: Pick<Authorization, "state" | "codeVerifier" | "nonce">,
  ): Promise<{ readonly profile: Profile; readonly tokens: ProviderTokens }>;
  /** Checks a token an app has sent: signature, issuer, audience, times. The nonce is the caller's. */
  verifyIdToken(check: IdTokenCheck): Promise<{ readonly profile: Profile; readonly nonce: string | null }>;
  revoke(refreshToken: string): Promise<void>;
}
