import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** The parts of `oidc-provider` that are used: it comes without types. */
interface OidcProvider {
  callback(): (request: IncomingMessage, reply: ServerResponse) => void;
  interactionDetails(
    request: IncomingMessage,
    reply: ServerResponse,
  ): Promise<{
    readonly prompt: { readonly name: string };
    readonly params: Asked;
    readonly session?: { accountId: string };
  }>;
  interactionFinished(
    request: IncomingMessage,
    reply: ServerResponse,
    result: Readonly<Record<string, unknown>>,
    options: { readonly mergeWithLastSubmission: boolean },
  ): Promise<void>;
  readonly Grant: new (about: {
    readonly accountId: string | undefined;
    readonly clientId: string;
  }) => {
    addOIDCScope(scope: string): void;
    save(): Promise<string>;
  };
}

interface Asked {
  readonly client_id: string;
  readonly scope?: string;
}

/** What the issuer says of somebody, by the name they sign in with. */
export type People = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export interface Issuer {
  readonly url: string;
  readonly client: { readonly id: string; readonly secret: string };
  stop(): Promise<void>;
}

/**
 * An OpenID provider (`oidc-provider`, certified) with pages of its own: there people sign in with their name and `password`, and
 * then allow what the app asks for, or not. It remembers who has signed in, as such services do.
 */
export async function openIssuer(callbackUrl: string, people: People, password: string): Promise<Issuer> {
  let provider: OidcProvider;
  const server = createServer(async (request, reply) => {
    if (!request.url?.startsWith("/interaction/")) return provider.callback()(request, reply);
    const { prompt, params, session } = await provider.interactionDetails(request, reply);
    const form = request.method === "POST" ? await formOf(request) : null;
    const finish = (result: Record<string, unknown>, mergeWithLastSubmission: boolean) =>
      provider.interactionFinished(request, reply, result, { mergeWithLastSubmission });
    if (form?.get("answer") === "no") {
      return finish({ error: "access_denied", error_description: "The person said no." }, false);
    }
    if (prompt.name === "login") {
      const name = form?.get("name") ?? "";
      if (Object.hasOwn(people, name) && form?.get("password") === password) {
        return finish({ login: { accountId: name } }, false);
      }
      return show(
        reply,
        "Sign in to Acme",
        `${input("name")}${input("password")}`,
        "Sign in",
        form === null ? "" : "Wrong.",
      );
    }
    if (form === null) return show(reply, "Let Roam see who you are?", "", "Allow");
    const grant = new provider.Grant({ accountId: session?.accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope ?? "openid");
    return finish({ consent: { grantId: await grant.save() } }, true);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = { id: "roam", secret: `secret-of-roam-${"x".repeat(24)}` };
  // A name that the compiler does not look up: the package has no types.
  const packageName: string = "oidc-provider";
  const { default: Provider } = (await import(packageName)) as {
    default: new (issuer: string, options: Readonly<Record<string, unknown>>) => OidcProvider;
  };
  provider = new Provider(url, {
    clients: [
      {
        client_id: client.id,
        client_secret: client.secret,
        redirect_uris: [callbackUrl],
        grant_types: ["authorization_code"],
        response_types: ["code"],
      },
    ],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    ttl: { Interaction: 60, Session: 60, Grant: 60, AccessToken: 60, IdToken: 60, AuthorizationCode: 60 },
    cookies: { keys: ["only for tests"] },
    findAccount: (_: unknown, sub: string) => ({ accountId: sub, claims: () => ({ sub, ...people[sub] }) }),
  });
  return {
    url,
    client,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function formOf(request: IncomingMessage): Promise<URLSearchParams> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return new URLSearchParams(Buffer.concat(chunks).toString());
}

const input = (name: string): string => `<input name="${name}" aria-label="${name}">`;

function show(reply: ServerResponse, title: string, fields: string, yes: string, problem = ""): void {
  reply.setHeader("Content-Type", "text/html; charset=utf-8");
  reply.end(`<!doctype html><html lang="en"><title>${title}</title><h1>${title}</h1><p>${problem}</p>
<form method="post">${fields}<button name="answer" value="yes">${yes}</button><button name="answer" value="no">Cancel</button></form>`);
}
