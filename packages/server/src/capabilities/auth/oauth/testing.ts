import { createHash, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from "jose";

type Handle = (request: IncomingMessage, reply: ServerResponse, body: URLSearchParams) => void | Promise<void>;

export interface LocalServer {
  readonly url: string;
  close(): Promise<void>;
}

/** A real server on this machine, for what is asked of others. */
export async function serve(handle: Handle): Promise<LocalServer> {
  const server: Server = createServer(async (request, reply) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    await handle(request, reply, new URLSearchParams(Buffer.concat(chunks).toString()));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((closed) => {
        server.closeAllConnections();
        server.close(() => closed());
      }),
  };
}

export const sendJson = (reply: ServerResponse, value: unknown, status = 200): void => {
  reply.writeHead(status, { "Content-Type": "application/json; charset=utf-8" }).end(JSON.stringify(value));
};

type Claims = Readonly<Record<string, unknown>>;

/** An OpenID issuer with keys of its own, and what it has been asked. */
export interface LocalIssuer extends LocalServer {
  /** Signed as the issuer signs; times are filled in. */
  sign(claims: Claims, header?: Claims): Promise<string>;
  /** Another key from now on; the old one is no longer published. */
  rotate(): Promise<void>;
  /** The claims that the next code leads to, besides `iss`, `aud`, `nonce`. @returns the code */
  willSay(claims: Claims): string;
  readonly keyRequests: { count: number };
  readonly revoked: URLSearchParams[];
  readonly redeemed: URLSearchParams[];
  readonly publicKey: () => Promise<Claims>;
}

/** @param algorithm What it signs with */
export async function openIssuer(algorithm: "RS256" | "ES256" = "RS256"): Promise<LocalIssuer> {
  let pair: { readonly privateKey: CryptoKey; readonly publicKey: CryptoKey };
  let kid = "";
  const keyRequests = { count: 0 };
  const [revoked, redeemed]: URLSearchParams[][] = [[], []];
  const codes = new Map<string, Claims>();
  const rotate = async (): Promise<void> => {
    pair = await generateKeyPair(algorithm, { extractable: true });
    kid = randomUUID();
  };
  await rotate();
  const publicKey = async () => ({ ...(await exportJWK(pair.publicKey)), kid, alg: algorithm, use: "sig" });
  const sign = (claims: Claims, header: Claims = {}) => {
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({ iss: server.url, iat: now, exp: now + 600, ...claims })
      .setProtectedHeader({ alg: algorithm, kid, ...header })
      .sign(pair.privateKey);
  };
  const server = await serve(async (request, reply, body) => {
    switch (new URL(request.url ?? "/", "http://local").pathname) {
      case "/.well-known/openid-configuration":
        return sendJson(reply, {
          issuer: server.url,
          authorization_endpoint: `${server.url}/authorize`,
          token_endpoint: `${server.url}/token`,
          jwks_uri: `${server.url}/keys`,
          response_types_supported: ["code"],
          subject_types_supported: ["public"],
          id_token_signing_alg_values_supported: [algorithm],
        });
      case "/keys":
        keyRequests.count++;
        return sendJson(reply, { keys: [await publicKey()] });
      case "/token": {
        redeemed?.push(body);
        const claims = codes.get(body.get("code") ?? "");
        codes.delete(body.get("code") ?? "");
        if (claims === undefined) return sendJson(reply, { error: "invalid_grant" }, 400);
        return sendJson(reply, {
          access_token: "local-access-token",
          refresh_token: "local-refresh-token",
          token_type: "Bearer",
          expires_in: 600,
          id_token: await sign(claims),
        });
      }
      case "/auth/revoke":
        revoked?.push(body);
        return void reply.writeHead(200).end();
      default:
        return sendJson(reply, {}, 404);
    }
  });
  return {
    ...server,
    sign,
    rotate,
    willSay(claims) {
      const code = randomUUID();
      codes.set(code, claims);
      return code;
    },
    keyRequests,
    revoked: revoked!,
    redeemed: redeemed!,
    publicKey,
  };
}

/** A service with OAuth 2.0 and an API of its own, as GitHub's enterprise server has it. */
export interface LocalService extends LocalServer {
  /** Who signs in with the next code. @returns the code */
  willBe(person: {
    readonly id: number;
    readonly email: string;
    readonly isVerified: boolean;
    readonly name?: string;
  }): string;
  /** Answers the token endpoint in another way, once. */
  nextToken(handle: Handle): void;
  nextUser(handle: Handle): void;
  readonly redeemed: URLSearchParams[];
}

export async function openService(): Promise<LocalService> {
  interface Person {
    readonly id: number;
    readonly email: string;
    readonly isVerified: boolean;
    readonly name?: string;
  }
  const codes = new Map<string, Person>();
  const people = new Map<string, Person>();
  const redeemed: URLSearchParams[] = [];
  let [tokenFault, userFault]: (Handle | null)[] = [null, null];
  const server = await serve(async (request, reply, body) => {
    const person = people.get((request.headers.authorization ?? "").replace("Bearer ", ""));
    switch (new URL(request.url ?? "/", "http://local").pathname) {
      case "/login/oauth/access_token": {
        redeemed.push(body);
        const fault = tokenFault;
        tokenFault = null;
        if (fault) return fault(request, reply, body);
        const who = codes.get(body.get("code") ?? "");
        codes.delete(body.get("code") ?? "");
        // This service says so under 200.
        if (who === undefined) return sendJson(reply, { error: "bad_verification_code" });
        const token = `gho_${randomUUID()}`;
        people.set(token, who);
        return sendJson(reply, { access_token: token, scope: "user:email", token_type: "bearer" });
      }
      case "/api/v3/user": {
        const fault = userFault;
        userFault = null;
        if (fault) return fault(request, reply, body);
        if (person === undefined) return sendJson(reply, { message: "Bad credentials" }, 401);
        return sendJson(reply, { id: person.id, login: `user${person.id}`, name: person.name ?? "", avatar_url: "" });
      }
      case "/api/v3/user/emails":
        if (person === undefined) return sendJson(reply, { message: "Bad credentials" }, 401);
        return sendJson(
          reply,
          person.email === "" ? [] : [{ email: person.email, primary: true, verified: person.isVerified }],
        );
      default:
        return sendJson(reply, {}, 404);
    }
  });
  return {
    ...server,
    redeemed,
    willBe(person) {
      const code = randomUUID();
      codes.set(code, person);
      return code;
    },
    nextToken(handle) {
      tokenFault = handle;
    },
    nextUser(handle) {
      userFault = handle;
    },
  };
}

export const sha256hex = (text: string): string => createHash("sha256").update(text).digest("hex");
export const s256 = (text: string): string => createHash("sha256").update(text).digest("base64url");

/** What an app reads from the URL it is opened with: query and fragment. */
export function factsOf(location: string): { readonly query: URLSearchParams; readonly fragment: URLSearchParams } {
  const url = new URL(location);
  return { query: url.searchParams, fragment: new URLSearchParams(url.hash.slice(1)) };
}
