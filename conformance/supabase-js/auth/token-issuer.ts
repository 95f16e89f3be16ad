import { createHash, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { type LocalServer, listen } from "./local-server.ts";

type Claims = Readonly<Record<string, unknown>>;

/** Who gives out ID tokens to phones: its discovery document, its keys, and what it signs with them. */
export interface TokenIssuer extends LocalServer {
  /** @param claims On top of `iss` and the times */
  idToken(claims: Claims): string;
}

/** Signs with RS256, as Apple and Google do. */
export async function openTokenIssuer(): Promise<TokenIssuer> {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const kid = randomUUID();
  const server = await listen((request, reply) => {
    const answer =
      request.url === "/.well-known/openid-configuration"
        ? {
            issuer: server.url,
            authorization_endpoint: `${server.url}/authorize`,
            token_endpoint: `${server.url}/token`,
            jwks_uri: `${server.url}/keys`,
            response_types_supported: ["code"],
            subject_types_supported: ["public"],
            id_token_signing_alg_values_supported: ["RS256"],
          }
        : request.url === "/keys"
          ? { keys: [{ ...publicKey.export({ format: "jwk" }), kid, alg: "RS256", use: "sig" }] }
          : null;
    reply.writeHead(answer === null ? 404 : 200, { "Content-Type": "application/json" });
    reply.end(JSON.stringify(answer ?? {}));
  });
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return {
    ...server,
    idToken(claims) {
      const now = Math.floor(Date.now() / 1000);
      const payload = { iss: server.url, iat: now, exp: now + 600, ...claims };
      const signed = `${encode({ alg: "RS256", kid })}.${encode(payload)}`;
      return `${signed}.${sign("sha256", Buffer.from(signed), privateKey).toString("base64url")}`;
    },
  };
}

/** The left half of the hash, which ties an access token to an ID token (OpenID Connect Core §3.1.3.6). */
export const halfHash = (text: string): string =>
  createHash("sha256").update(text).digest().subarray(0, 16).toString("base64url");

/** What an app gives the phone's dialogue of the nonce it keeps. */
export const sha256Hex = (text: string): string => createHash("sha256").update(text).digest("hex");
