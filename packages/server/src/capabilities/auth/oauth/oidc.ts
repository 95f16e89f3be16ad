import { createRemoteJWKSet, type JWTVerifyGetKey, customFetch as jwksFetch } from "jose";
import {
  AuthorizationResponseError,
  allowInsecureRequests,
  authorizationCodeGrant,
  type ClientAuth,
  ClientError,
  type Configuration,
  customFetch,
  discovery,
  fetchUserInfo,
  ResponseBodyError,
} from "openid-client";
import type { Clock } from "../../../kernel/clock.ts";
import type { Fields } from "../request.ts";
import { type Bounds, boundedFetch } from "./outbound.ts";
import { oauthProblems } from "./problems.ts";

/** Least time between two requests for the keys of one issuer, in milliseconds: tokens with made-up key names cost it no more. */
const keysCooldownMs = 30_000;

/** One issuer as it describes itself, remembered for a while. */
export interface Issuer {
  /** @throws Problem 503 when it cannot be asked */
  discover(): Promise<Discovered>;
}

export interface Discovered {
  readonly issuer: string;
  readonly configuration: Configuration;
  /** Asked for again when a token names a key that is not there: issuers rotate them. */
  readonly keys: JWTVerifyGetKey;
  readonly untilMs: number;
}

/**
 * An issuer at a URL of the operator's. What it says of itself is believed for `rememberMs`; keys are looked for where it says they
 * are, over https like everything else unless the operator's own URL is a plain one on this machine.
 */
export function createIssuer(needs: {
  readonly url: string;
  readonly clientId: string;
  readonly clientAuth: ClientAuth;
  readonly bounds: Bounds;
  readonly rememberMs: number;
  readonly clock: Clock;
}): Issuer {
  const { url, clientId, clientAuth, bounds, rememberMs, clock } = needs;
  const fetch = boundedFetch(bounds);
  let current: Promise<Discovered> | null = null;
  let untilMs = 0;

  async function ask(): Promise<Discovered> {
    const configuration = await discovery(new URL(url), clientId, undefined, clientAuth, {
      [customFetch]: fetch,
      // The bound that counts is the request's own; this one ends a wait that ours should have ended.
      timeout: Math.ceil(bounds.timeoutMs / 1000) + 1,
      execute: new URL(url).protocol === "http:" ? [allowInsecureRequests] : [],
    }).catch((error: unknown) => {
      throw oauthProblems.providerUnavailable(error);
    });
    const { issuer, jwks_uri: keysUrl } = configuration.serverMetadata();
    if (keysUrl === undefined || !URL.canParse(keysUrl) || !isAsSafe(keysUrl, url)) {
      throw oauthProblems.providerUnavailable(new Error(`${url} does not say where its keys are.`));
    }
    const keys = createRemoteJWKSet(new URL(keysUrl), {
      [jwksFetch]: (target, options) => fetch(target, options),
      timeoutDuration: bounds.timeoutMs,
      cooldownDuration: keysCooldownMs,
      cacheMaxAge: rememberMs,
    });
    return { issuer, configuration, keys, untilMs: clock.nowMs() + rememberMs };
  }

  return {
    discover() {
      if (current === null || clock.nowMs() >= untilMs) {
        // One question for all who wait; a failure is forgotten at once.
        untilMs = Number.POSITIVE_INFINITY;
        const asked: Promise<Discovered> = ask().then(
          (found) => {
            untilMs = found.untilMs;
            return found;
          },
          (error: unknown) => {
            if (current === asked) current = null;
            throw error;
          },
        );
        current = asked;
      }
      return current;
    },
  };
}

const isAsSafe = (url: string, than: string): boolean =>
  new URL(url).protocol === "https:" || new URL(than).protocol === "http:";

/** Redeems a code; state and nonce are compared on the way. @throws Problem */
export async function redeemOidcCode(
  { configuration }: Discovered,
  answer: URL,
  checks: { readonly state: string; readonly nonce: string | null; readonly codeVerifier: string | null },
) {
  try {
    return await authorizationCodeGrant(configuration, answer, {
      expectedState: checks.state,
      idTokenExpected: true,
      ...(checks.nonce === null ? {} : { expectedNonce: checks.nonce }),
      ...(checks.codeVerifier === null ? {} : { pkceCodeVerifier: checks.codeVerifier }),
    });
  } catch (error) {
    throw isRefusal(error)
      ? oauthProblems.badCallback("Unable to exchange external code", error)
      : oauthProblems.providerUnavailable(error);
  }
}

/** What the userinfo endpoint says of the same person; nothing where there is no such endpoint. @throws Problem */
export async function askUserInfo(
  { configuration }: Discovered,
  accessToken: string,
  subject: string,
): Promise<Fields> {
  if (configuration.serverMetadata().userinfo_endpoint === undefined) return {};
  try {
    return await fetchUserInfo(configuration, accessToken, subject);
  } catch (error) {
    throw isRefusal(error)
      ? oauthProblems.badCallback("The provider does not say whose account it is", error)
      : oauthProblems.providerUnavailable(error);
  }
}

/** Answers that were had and are wrong. Anything else is no answer: a connection, a status, a type that is none. */
const wrongAnswers: readonly string[] = [
  "OAUTH_INVALID_RESPONSE",
  "OAUTH_JWT_CLAIM_COMPARISON_FAILED",
  "OAUTH_JWT_TIMESTAMP_CHECK_FAILED",
  "OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED",
];

const isRefusal = (error: unknown): boolean =>
  error instanceof ResponseBodyError ||
  error instanceof AuthorizationResponseError ||
  (error instanceof ClientError && error.code !== undefined && wrongAnswers.includes(error.code));
