import { OutboundError, outboundRequest } from "../../../platform/outbound/index.ts";
import type { Bounds } from "./outbound.ts";
import { oauthProblems } from "./problems.ts";

/** Tells the provider that a refresh token is not wanted any more (RFC 7009 §2). @throws Problem 503 when it has to be said again */
export async function revokeToken(
  bounds: Bounds,
  request: {
    readonly url: string;
    readonly clientId: string;
    readonly clientSecret: string;
    readonly refreshToken: string;
  },
): Promise<void> {
  const reply = await outboundRequest(request.url, {
    ...bounds,
    method: "POST",
    headers: { "Content-Type": "application/x-www-form-urlencoded", Accept: "application/json" },
    body: new URLSearchParams({
      client_id: request.clientId,
      client_secret: request.clientSecret,
      token: request.refreshToken,
      token_type_hint: "refresh_token",
    }).toString(),
  }).catch((error: unknown) => {
    throw error instanceof OutboundError ? oauthProblems.providerUnavailable(error) : error;
  });
  // A token that is no longer known is answered with 200 too.
  if (reply.status !== 200) {
    throw oauthProblems.providerUnavailable(new Error(`The revocation endpoint answered ${reply.status}.`));
  }
}
