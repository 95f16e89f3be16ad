import { createHash, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type Handle = (request: IncomingMessage, reply: ServerResponse, body: string) => unknown;

export interface LocalServer {
  readonly url: string;
  /** Paths in the order they were asked for. */
  readonly asked: string[];
  close(): Promise<void>;
}

/** A real server on this machine: the other end of what is asked of providers, hooks and gateways. */
export async function serve(handle: Handle): Promise<LocalServer> {
  const asked: string[] = [];
  const server = createServer(async (request, reply) => {
    asked.push(new URL(request.url ?? "/", "http://local").pathname);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    await handle(request, reply, Buffer.concat(chunks).toString());
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

export const sendJson = (reply: ServerResponse, value: unknown, status = 200): void => {
  reply.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
};

type Claims = Readonly<Record<string, unknown>>;

/** An OpenID issuer with an RSA key of its own. */
export interface Issuer extends LocalServer {
  /** Signed with the issuer's key (RS256); `iss`, `aud` and times are filled in. */
  idToken(claims: Claims): string;
  /** The code that leads to these claims at the token endpoint. */
  codeFor(claims: Claims): string;
  /** Answers of a path in another way than the issuer's own. */
  readonly faults: Map<string, Handle>;
  /** In PEM: what a forger knows of the key. */
  readonly publicPem: string;
  readonly publicJwk: Claims;
  /** As `idToken`, whatever header and signer say. */
  forge(header: Claims, claims: Claims, signer: (signed: string) => Buffer): string;
  sign(text: string): Buffer;
}

export const clientId = "local-client";
export const providerTokens = { access_token: "provider-access-secret", refresh_token: "provider-refresh-secret" };

export async function openIssuer(): Promise<Issuer> {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
  const kid = randomUUID();
  const publicJwk = { ...publicKey.export({ format: "jwk" }), kid, alg: "RS256", use: "sig" };
  const codes = new Map<string, Claims>();
  const faults = new Map<string, Handle>();
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signText = (text: string) => sign("sha256", Buffer.from(text), privateKey);
  const forge: Issuer["forge"] = (header, claims, signer) => {
    const signed = `${encode(header)}.${encode(claims)}`;
    return `${signed}.${signer(signed).toString("base64url")}`;
  };
  const complete = (claims: Claims): Claims => {
    const now = Math.floor(Date.now() / 1000);
    return { iss: server.url, aud: clientId, iat: now, exp: now + 600, ...claims };
  };
  const idToken: Issuer["idToken"] = (claims) => forge({ alg: "RS256", kid, typ: "JWT" }, complete(claims), signText);
  const server = await serve((request, reply, body) => {
    const { pathname } = new URL(request.url ?? "/", "http://local");
    const fault = faults.get(pathname);
    if (fault !== undefined) return fault(request, reply, body);
    switch (pathname) {
      case "/.well-known/openid-configuration":
        return sendJson(reply, {
          issuer: server.url,
          authorization_endpoint: `${server.url}/authorize`,
          token_endpoint: `${server.url}/token`,
          userinfo_endpoint: `${server.url}/userinfo`,
          jwks_uri: `${server.url}/keys`,
          response_types_supported: ["code"],
          subject_types_supported: ["public"],
          id_token_signing_alg_values_supported: ["RS256"],
        });
      case "/keys":
        return sendJson(reply, { keys: [publicJwk] });
      case "/token": {
        const code = new URLSearchParams(body).get("code") ?? "";
        const claims = codes.get(code);
        codes.delete(code);
        if (claims === undefined) return sendJson(reply, { error: "invalid_grant" }, 400);
        const given = { ...providerTokens, token_type: "Bearer", expires_in: 600 };
        return sendJson(reply, { ...given, id_token: idToken(claims) });
      }
      default:
        return sendJson(reply, {}, 404);
    }
  });
  return {
    ...server,
    idToken,
    codeFor(claims) {
      const code = randomUUID();
      codes.set(code, claims);
      return code;
    },
    faults,
    publicPem: publicKey.export({ type: "spki", format: "pem" }).toString(),
    publicJwk,
    forge: (header, claims, signer) => forge(header, complete(claims), signer),
    sign: signText,
  };
}

/** Settings of the provider `google`, as the issuer. */
export const googleAt = (issuer: Pick<Issuer, "url">) => ({
  googleEnabled: true,
  googleClientIds: [clientId],
  googleSecret: "provider-client-secret",
  googleUrl: issuer.url,
});

export const s256 = (text: string): string => createHash("sha256").update(text).digest("base64url");
