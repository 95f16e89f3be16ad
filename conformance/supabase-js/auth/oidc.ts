import type { IncomingMessage, ServerResponse } from "node:http";
import { expect } from "vitest";
import { type LocalServer, listen } from "./local-server.ts";

/** The parts of `oidc-provider` that are used: it comes without types. */
interface Provider {
  callback(): (request: IncomingMessage, reply: ServerResponse) => void;
  interactionDetails(
    request: IncomingMessage,
    reply: ServerResponse,
  ): Promise<{ params: { client_id: string; scope?: string }; prompt: { name: string } }>;
  interactionFinished(
    request: IncomingMessage,
    reply: ServerResponse,
    result: object,
    options: { mergeWithLastSubmission: boolean },
  ): Promise<void>;
  readonly Grant: new (about: {
    accountId: string;
    clientId: string;
  }) => {
    addOIDCScope(scope: string): void;
    save(): Promise<string>;
  };
}

/** Who sits in front of the provider's page, and whether they agree. */
export interface Visitor {
  sub: string;
  email: string;
  isVerified: boolean;
  agrees: boolean;
}

export interface OidcIssuer extends LocalServer {
  /** Whoever comes next. */
  visitor: Visitor;
}

export interface OidcClient {
  readonly id: string;
  readonly secret: string;
  readonly callback: string;
  readonly auth: "client_secret_basic" | "client_secret_post";
  readonly isPkce: boolean;
}

/** A certified OpenID provider, whose pages answer themselves. */
export async function openOidc(clients: readonly OidcClient[]): Promise<OidcIssuer> {
  const issuer: { visitor: Visitor } = {
    visitor: { sub: "ada", email: "ada@oidc.example", isVerified: true, agrees: true },
  };
  const people = new Map<string, Visitor>();
  let provider: Provider;
  const interact = async (request: IncomingMessage, reply: ServerResponse): Promise<void> => {
    const { params, prompt } = await provider.interactionDetails(request, reply);
    const { visitor } = issuer;
    people.set(visitor.sub, { ...visitor });
    const finish = (result: object, mergeWithLastSubmission: boolean) =>
      provider.interactionFinished(request, reply, result, { mergeWithLastSubmission });
    if (!visitor.agrees) return finish({ error: "access_denied", error_description: "The person said no." }, false);
    if (prompt.name === "login") return finish({ login: { accountId: visitor.sub } }, false);
    const grant = new provider.Grant({ accountId: visitor.sub, clientId: params.client_id });
    grant.addOIDCScope(params.scope ?? "openid");
    return finish({ consent: { grantId: await grant.save() } }, true);
  };
  const server = await listen((request, reply) =>
    request.url?.startsWith("/interaction/") ? interact(request, reply) : provider.callback()(request, reply),
  );
  // A name that the compiler does not look up: the package has no types.
  const name: string = "oidc-provider";
  const { default: Provider } = (await import(name)) as { default: new (url: string, options: object) => Provider };
  provider = new Provider(server.url, {
    clients: clients.map(({ id, secret, callback, auth }) => ({
      client_id: id,
      client_secret: secret,
      redirect_uris: [callback],
      token_endpoint_auth_method: auth,
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
    })),
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"], name: [] },
    scopes: ["openid", "email", "profile", "name", "offline_access"],
    pkce: {
      required: (_: unknown, { clientId }: { clientId: string }) => clients.find(({ id }) => id === clientId)?.isPkce,
    },
    // Google and Apple say in the token who it is; the standard leaves it to the userinfo endpoint.
    conformIdTokenClaims: false,
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    ttl: { Interaction: 60, Session: 60, Grant: 60, AccessToken: 60, IdToken: 60, AuthorizationCode: 60 },
    cookies: { keys: ["only for tests"] },
    findAccount: (_: unknown, sub: string) => {
      const { email, isVerified } = people.get(sub) ?? issuer.visitor;
      return { accountId: sub, claims: () => ({ sub, email, email_verified: isVerified, name: "Ada Lovelace" }) };
    },
  });
  return Object.assign(issuer, server);
}

/** A browser: follows redirects, keeps cookies, and posts forms that post themselves, until the app is opened. */
export async function browse(start: string, isApp: (url: URL) => boolean): Promise<URL> {
  const cookies = new Map<string, string>();
  let ask: { readonly url: URL; readonly body?: URLSearchParams } = { url: new URL(start) };
  for (let hops = 0; hops < 16; hops++) {
    const reply = await fetch(ask.url, {
      redirect: "manual",
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") },
      ...(ask.body === undefined ? {} : { method: "POST", body: ask.body }),
    });
    for (const line of reply.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      cookies.set(name, value);
    }
    const next = reply.headers.get("location");
    if (next !== null) {
      ask = { url: new URL(next, ask.url) };
      if (isApp(ask.url)) return ask.url;
      continue;
    }
    const page = await reply.text();
    const [, action] = /<form[^>]* action="([^"]*)"/.exec(page) ?? [];
    if (action === undefined) return expect.fail(`${reply.status} at ${ask.url}: ${page.slice(0, 400)}`);
    const fields = [...page.matchAll(/name="([^"]+)" value="([^"]*)"/g)];
    ask = {
      url: new URL(action, ask.url),
      body: new URLSearchParams(fields.map(([, name = "", value = ""]): [string, string] => [name, value])),
    };
  }
  return expect.fail("The browser goes round in circles.");
}
