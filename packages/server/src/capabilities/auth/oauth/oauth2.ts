import { isObject } from "../request.ts";
import { askJson, type Bounds } from "./outbound.ts";
import { oauthProblems } from "./problems.ts";
import { textAt } from "./read.ts";
import type { ProviderTokens } from "./types.ts";

/** Longest token taken, in characters: it travels on in a URL. */
const maxTokenLength = 8_192;

export interface CodeExchange {
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly clientAuth: "basic" | "post";
  readonly code: string;
  readonly redirectUri: string;
  readonly codeVerifier: string | null;
}

/**
 * Redeems a code where the standard is spoken with an accent (RFC 6749 §4.1.3): without `token_type`, with a list for `scope`, with
 * errors under status 200. What a strict client refuses there is harmless here: the token is used with the same service only.
 * @throws Problem 400 when the service refuses, 503 when it does not answer as one
 */
export async function redeemCode(bounds: Bounds, exchange: CodeExchange): Promise<ProviderTokens> {
  const { clientId, clientSecret } = exchange;
  const form = new URLSearchParams({
    grant_type: "authorization_code",
    code: exchange.code,
    redirect_uri: exchange.redirectUri,
  });
  if (exchange.codeVerifier !== null) form.set("code_verifier", exchange.codeVerifier);
  if (exchange.clientAuth === "post") {
    form.set("client_id", clientId);
    form.set("client_secret", clientSecret);
  }
  const { status, value } = await askJson(bounds, exchange.url, {
    method: "POST",
    headers: {
      "Content-Type": "application/x-www-form-urlencoded",
      ...(exchange.clientAuth === "basic" ? { Authorization: basic(clientId, clientSecret) } : {}),
    },
    body: form.toString(),
  });
  if (status >= 500) throw oauthProblems.providerUnavailable(new Error(`The token endpoint answered ${status}.`));
  const accessToken = textAt(value, "access_token");
  if (status >= 300 || !isObject(value) || accessToken === "" || accessToken.length > maxTokenLength) {
    // Of the answer only the error's name is kept: it may hold a token.
    const name = textAt(value, "error").slice(0, 100);
    throw oauthProblems.badCallback("Unable to exchange external code", new Error(`${status} ${name}`));
  }
  const refreshToken = textAt(value, "refresh_token");
  return {
    accessToken,
    refreshToken: refreshToken === "" || refreshToken.length > maxTokenLength ? null : refreshToken,
    answer: value,
  };
}

/** RFC 6749 §2.3.1: both are form-encoded before they are joined. */
function basic(id: string, secret: string): string {
  const encode = (text: string) => new URLSearchParams({ "": text }).toString().slice(1);
  return `Basic ${Buffer.from(`${encode(id)}:${encode(secret)}`).toString("base64")}`;
}

/** One look into the service's API, as the person. @throws Problem 503 when it refuses or does not answer */
export async function askApi(
  bounds: Bounds,
  url: string,
  accessToken: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  const { status, value } = await askJson(bounds, url, {
    method: "GET",
    headers: { ...headers, Authorization: `Bearer ${accessToken}` },
  });
  if (status < 200 || status >= 300) {
    throw oauthProblems.providerUnavailable(new Error(`${new URL(url).pathname} answered ${status}.`));
  }
  return value;
}
