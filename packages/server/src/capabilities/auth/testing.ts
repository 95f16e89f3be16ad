import { mkdtemp, rm } from "node:fs/promises";
import type { IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { templateDatabase, testDatabase } from "@mainstay/testing";
import pg from "pg";
import { Problem } from "../../kernel/problem.ts";
import type { Call, Method, Reply, Route } from "../../kernel/route.ts";
import { readSettings, type Values } from "../../kernel/settings.ts";
import { identitySettings, type OpenIdentity, openIdentity } from "../../platform/identity/index.ts";
import type { Observation } from "../../platform/observe/observation.ts";
import { createOutbox, outboxSettings } from "../../platform/outbox/index.ts";
import { type Database, openDatabase } from "../../platform/postgres/database.ts";
import { parseConnectionUrl } from "../../platform/postgres/external/index.ts";
import { openHotSession } from "../../platform/postgres/hot-session.ts";
import { postgresSettings } from "../../platform/postgres/settings.ts";
import { type Accounts, createAuth } from "./index.ts";
import type { AuthMail, AuthSms, Messages } from "./messages.ts";
import { authSettings } from "./settings.ts";

export interface TestReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly body: any;
}

export interface Request {
  readonly body?: unknown;
  readonly headers?: IncomingHttpHeaders;
  readonly token?: string | undefined;
  readonly address?: string;
}

/** The auth capability on a database of its own: routes called as the HTTP platform calls them, without a socket. */
export interface TestAuth {
  readonly accounts: Accounts;
  readonly identity: OpenIdentity;
  readonly db: Database;
  readonly clock: { ms: number; nowMs(): number };
  readonly seen: Observation[];
  /** What would have gone out, oldest first; also of transactions that were rolled back afterwards. */
  readonly sent: { readonly mails: AuthMail[]; readonly sms: AuthSms[] };
  /** `target` is below the mount: `/token?grant_type=password`. The publishable key is sent unless `headers` has another. */
  send(method: Method, target: string, request?: Request): Promise<TestReply>;
  /** As `send`, with the service key. */
  admin(method: Method, target: string, body?: unknown): Promise<TestReply>;
  sql(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  /** The same keys under other settings, and on `db` when one is given; the caller closes that. */
  with(settings: Partial<Values<typeof authSettings>>, db?: Database): TestAuth;
  close(): Promise<void>;
}

/** Hashes as cheap as the library makes them, so that the tests are about the rest. */
const quick = { hashMemoryKib: 7_168, hashPasses: 1, rateLimits: false };

export async function openTestAuth(settings: Partial<Values<typeof authSettings>> = {}): Promise<TestAuth> {
  const database = await testDatabase(await templateDatabase());
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const dir = await mkdtemp(join(tmpdir(), "auth-"));
  const clock = {
    ms: Date.now(),
    nowMs() {
      return this.ms;
    },
  };
  const seen: Observation[] = [];
  const sent: TestAuth["sent"] = { mails: [], sms: [] };
  const messages: Messages = {
    mail: async (_tx, mail) => void sent.mails.push(mail),
    async sms(_tx, sms) {
      sent.sms.push(sms);
      return `message-${sent.sms.length}`;
    },
  };
  const observe = (observation: Observation) => void seen.push(observation);
  const identity = await openIdentity({
    keysDir: join(dir, "keys"),
    settings: { ...readSettings(identitySettings, { env: {} }).values, keyPollMs: 0 },
    observe,
    clock,
  });
  const session = readSettings(postgresSettings, { env: {} }).values;
  const hot = await openHotSession(parseConnectionUrl(database.url), { session, observe });
  const db = openDatabase({ connectionString: database.url }, { hot });
  const capabilities: ReturnType<typeof createAuth>[] = [];
  const build = (given: Partial<Values<typeof authSettings>>, used = db): TestAuth => {
    const values = { ...readSettings(authSettings, { env: {} }).values, ...quick, ...given };
    // Not started: what is put into it can be looked at.
    const key = identity.signer.deriveKey("outbox");
    const outbox = createOutbox({ db: used, key, settings: readSettings(outboxSettings, { env: {} }).values, observe });
    const capability = createAuth({ db: used, ...identity, settings: values, clock, observe, outbox, messages });
    capabilities.push(capability);
    const group = capability.routes[0]!;
    const send: TestAuth["send"] = async (method, target, request = {}) => {
      const [path = "", query = ""] = target.split("?");
      const headers: IncomingHttpHeaders = {
        apikey: identity.keys.publishableKey,
        ...(request.token === undefined ? {} : { authorization: `Bearer ${request.token}` }),
        ...request.headers,
      };
      const body = request.body === undefined ? Buffer.alloc(0) : bytesOf(request.body);
      const call = { id: "test", method, path: `${group.mount}${path}`, query, headers };
      try {
        const { route, params } = find(group.routes, method, path);
        const who = whoOf(identity, route, headers, query);
        const address = request.address ?? "203.0.113.7";
        const whole: Call = {
          ...call,
          params,
          who,
          address,
          origin: "http://127.0.0.1:54321",
          signal: new AbortController().signal,
          body: async () => body,
          async *stream() {},
        };
        return replyOf(await route.handle(whole));
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        return replyOf(group.boundary.render(error, call));
      }
    };
    return {
      identity,
      accounts: capability.accounts,
      db: used,
      clock,
      seen,
      sent,
      send,
      admin: (method, target, body) =>
        send(method, target, {
          ...(body === undefined ? {} : { body }),
          headers: { apikey: identity.keys.secretKey, authorization: `Bearer ${identity.keys.secretKey}` },
        }),
      sql: async (text, values) => (await client.query(text, values)).rows,
      with: build,
      async close() {
        for (const one of capabilities) await one.stop?.(AbortSignal.timeout(5_000));
        identity.close();
        await client.end();
        await db.close();
        await database.drop();
        await rm(dir, { recursive: true, force: true });
      },
    };
  };
  return build(settings);
}

function find(
  routes: readonly Route[],
  method: Method,
  path: string,
): { route: Route; params: Record<string, string> } {
  for (const route of routes) {
    if (![route.method].flat().includes(method)) continue;
    const names = [...route.path.matchAll(/:(\w+)/g)].map((found) => found[1]!);
    const pattern = new RegExp(`^${route.path.replaceAll(".", "\\.").replace(/:\w+/g, "([^/]+)")}$`);
    const values = pattern.exec(path);
    if (values === null) continue;
    return { route, params: Object.fromEntries(names.map((name, at) => [name, decodeURIComponent(values[at + 1]!)])) };
  }
  throw new Problem("http/not-found", 404, "Nothing is served at this path.");
}

/** As `Access` says in kernel/route.ts. */
function whoOf({ identity }: OpenIdentity, route: Route, headers: IncomingHttpHeaders, query: string) {
  if (route.access === "open") return identity.anonymous;
  if (route.access === "key") return identity.identifyKey(headers, query);
  const who = identity.identify(headers, query);
  if (route.access === "service" && who.role !== "service_role") throw new Problem("http/service-only", 403, "No.");
  return who;
}

const bytesOf = (body: unknown): Buffer =>
  Buffer.isBuffer(body) ? body : Buffer.from(typeof body === "string" ? body : JSON.stringify(body));

function replyOf(reply: Reply): TestReply {
  const headers: Record<string, string> = {};
  for (let at = 0; at < reply.headers.length; at += 2)
    headers[reply.headers[at]!.toLowerCase()] = reply.headers[at + 1]!;
  return { status: reply.status, headers, body: typeof reply.body === "string" ? JSON.parse(reply.body) : reply.body };
}
