import { createHash } from "node:crypto";
import { type ClientAuth, ClientSecretBasic, ClientSecretPost } from "openid-client";
import type { Clock } from "../../../kernel/clock.ts";
import { SettingError } from "../../../kernel/settings.ts";
import { clientSecretOf } from "./client-secret.ts";
import { verifyIdToken } from "./id-token.ts";
import { askApi, redeemCode } from "./oauth2.ts";
import { askUserInfo, createIssuer, redeemOidcCode } from "./oidc.ts";
import type { Bounds } from "./outbound.ts";
import { oauthProblems } from "./problems.ts";
import { revokeToken } from "./revoke.ts";
import type { Authorization, Provider, ProviderDefinition, ProviderOptions } from "./types.ts";

export interface ProviderNeeds {
  readonly bounds: Bounds;
  readonly rememberMs: number;
  readonly clock: Clock;
  /** Where providers send browsers back to, unless the options say otherwise. */
  readonly callbackUrl: string;
}

/** The methods each way of speaking with a provider must have. */
const duties = { oauth2: ["endpoints", "profile"], oidc: ["issuer", "isIssuer", "profile"] } as const;

/**
 * A provider that is not whole does not start: a check that is missing would never be missed at sign-in (threat A24).
 * @throws SettingError naming what is missing
 */
export function assertDefinition(definition: ProviderDefinition): void {
  const { name } = definition;
  if (definition.oauth2 === undefined && definition.oidc === undefined) {
    throw new SettingError(`Sign-in with ${name} has no way to say who somebody is.`);
  }
  for (const way of ["oauth2", "oidc"] as const) {
    // Looked at as what it may be: a provider need not have been written with types.
    const rules = definition[way] as Readonly<Record<string, unknown>> | undefined;
    if (rules === undefined) continue;
    const missing = duties[way].find((method) => typeof rules[method] !== "function");
    if (missing !== undefined) throw new SettingError(`Sign-in with ${name} has no method ${way}.${missing}.`);
  }
}

/**
 * A provider as the operator has set it up. It keeps what its issuer says of itself, and nothing of any sign-in (threat A25).
 * @throws SettingError for options that cannot work
 */
export function createProvider(
  definition: ProviderDefinition,
  options: ProviderOptions,
  { bounds, rememberMs, clock, callbackUrl }: ProviderNeeds,
): Provider {
  assertDefinition(definition);
  const { name, oauth2, oidc } = definition;
  const clientId = options.clientIds[0]!;
  const secret = clientSecretOf(options, clock);
  const clientAuth: ClientAuth = (...asked) =>
    (definition.clientAuth === "basic" ? ClientSecretBasic : ClientSecretPost)(secret())(...asked);
  const redirectUri = options.redirectUri ?? callbackUrl;
  const endpoints = oauth2?.endpoints(options.url) ?? null;
  const issuerUrl = oidc?.issuer(options.url) ?? null;
  for (const url of [redirectUri, endpoints?.authorize, endpoints?.token, endpoints?.api, issuerUrl]) {
    if (url !== null && url !== undefined) assertUrl(name, url);
  }
  const issuer =
    issuerUrl === null ? null : createIssuer({ url: issuerUrl, clientId, clientAuth, bounds, rememberMs, clock });
  const sendsNonce = endpoints === null && oidc?.hasNoNonce !== true;

  async function claimsOf(token: string, accessToken: string) {
    if (oidc === undefined || issuer === null) throw oauthProblems.unsupportedProvider("it gives out no ID tokens");
    const { issuer: discovered, keys } = await issuer.discover();
    const claims = await verifyIdToken(token, accessToken, {
      keys,
      clientIds: options.clientIds,
      isIssuer: (all) => oidc.isIssuer(all, discovered),
      isAskedByOthers: oidc.isAskedByOthers === true,
      nowMs: clock.nowMs(),
    });
    return { claims, profile: oidc.profile(claims, discovered) };
  }

  return {
    name,
    isEmailOptional: options.isEmailOptional,
    skipsNonceCheck: options.skipsNonceCheck || oidc?.hasNoNonce === true,
    hasRedirectFlow: options.secret !== "" || options.signing !== null,
    hasIdTokens: oidc !== undefined,
    keepsRefreshToken: definition.revocationPath !== undefined,

    async authorizationUrl(authorization) {
      const authorize =
        endpoints?.authorize ?? (await issuer!.discover()).configuration.serverMetadata().authorization_endpoint;
      if (authorize === undefined) throw oauthProblems.unsupportedProvider("it has no authorization endpoint");
      const url = new URL(authorize);
      for (const [key, value] of Object.entries(paramsOf(authorization))) url.searchParams.set(key, value);
      return url.href;
    },

    async authenticate(answer, { state, codeVerifier, nonce }) {
      const verifier = definition.usesPkce ? codeVerifier : null;
      if (endpoints !== null && oauth2 !== undefined) {
        const tokens = await redeemCode(bounds, {
          url: endpoints.token,
          clientId,
          clientSecret: secret(),
          clientAuth: definition.clientAuth,
          code: answer.get("code") ?? "",
          redirectUri,
          codeVerifier: verifier,
        });
        const get = (url: string, headers?: Readonly<Record<string, string>>) =>
          askApi(bounds, url, tokens.accessToken, headers);
        const source = { tokens, api: endpoints.api, clientId, clientSecret: secret(), get };
        return { profile: await oauth2.profile(source), tokens };
      }
      const discovered = await issuer!.discover();
      const url = new URL(redirectUri);
      for (const key of ["code", "state", "iss"]) if (answer.has(key)) url.searchParams.set(key, answer.get(key)!);
      const checks = { state, nonce: sendsNonce ? nonce : null, codeVerifier: verifier };
      const granted = await redeemOidcCode(discovered, url, checks);
      // The library takes the token endpoint's word for the token; here it has to be signed as any other.
      const known = await claimsOf(granted.id_token ?? "", granted.access_token);
      const isAsked = oidc?.asksUserInfo === true && known.claims.email === undefined;
      const more = isAsked ? await askUserInfo(discovered, granted.access_token, known.profile.subject) : {};
      return {
        profile: isAsked ? oidc.profile({ ...more, ...known.claims }, discovered.issuer) : known.profile,
        tokens: { accessToken: granted.access_token, refreshToken: granted.refresh_token ?? null, answer: granted },
      };
    },

    async verifyIdToken({ token, accessToken }) {
      const { claims, profile } = await claimsOf(token, accessToken);
      return { profile, nonce: typeof claims.nonce === "string" ? claims.nonce : null };
    },

    async revoke(refreshToken) {
      if (definition.revocationPath === undefined || issuerUrl === null) return;
      const url = `${issuerUrl}${definition.revocationPath}`;
      await revokeToken(bounds, { url, clientId, clientSecret: secret(), refreshToken });
    },
  };

  /** Ours last: nothing a request brings along stands over them. */
  function paramsOf({ params, scopes, state, codeVerifier, nonce }: Authorization): Record<string, string> {
    const scope = [...new Set([...definition.scopes, ...scopes])].join(" ");
    return {
      ...params,
      ...definition.authorizeParams,
      client_id: clientId,
      redirect_uri: redirectUri,
      response_type: "code",
      state,
      ...(scope === "" ? {} : { scope }),
      ...(sendsNonce ? { nonce } : {}),
      ...(definition.usesPkce ? { code_challenge: s256(codeVerifier), code_challenge_method: "S256" } : {}),
    };
  }
}

const s256 = (verifier: string): string => createHash("sha256").update(verifier).digest("base64url");

/** Secrets and tokens go there: only over TLS, or not off this machine. */
function assertUrl(name: string, text: string): void {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isLocal = url !== null && /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
  if (url?.protocol !== "https:" && !(url?.protocol === "http:" && isLocal)) {
    throw new SettingError(`Sign-in with ${name} needs an https URL, not ${JSON.stringify(text)}.`);
  }
}
