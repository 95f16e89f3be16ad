import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type BootedApp, boot } from "@mainstay/testing";
import { createClient, type SupabaseClient, type SupabaseClientOptions } from "@supabase/supabase-js";

/** Known to the tests, so that they can mint tokens of their own. Long enough for any server to accept it. */
const jwtSecret = "conformance-secret-of-at-least-thirty-two-bytes";

/** What a plain request got back. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; `undefined` when there is none or it is not JSON. */
  readonly json: unknown;
}

export interface RequestOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Anything but text and bytes is sent as JSON. */
  readonly body?: unknown;
  /** Key or token to come with; the anonymous key when left out. */
  readonly as?: string;
}

export interface App extends Pick<BootedApp, "observations"> {
  readonly url: string;
  readonly anonKey: string;
  readonly serviceRoleKey: string;
  readonly publishableKey: string;
  readonly secretKey: string;
  /** A plain request below `/rest/v1`. */
  rest(path: string, options?: RequestOptions): Promise<Answer>;
  /** A plain request below the server's root. */
  request(path: string, options?: RequestOptions): Promise<Answer>;
  /** A new supabase-js client, with the anonymous key unless told otherwise, that keeps nothing and refreshes nothing by itself. */
  client(key?: string, options?: SupabaseClientOptions<"public">): SupabaseClient;
  /** Runs SQL as the superuser. */
  sql(text: string): Promise<readonly Record<string, unknown>[]>;
  stop(): Promise<void>;
}

/** Settings of the server by group, as in `mainstay.config.ts`. */
export type AppSettings = NonNullable<NonNullable<Parameters<typeof boot>[0]>["settings"]>;

/** Boots a server on a database of its own that holds `fixture.sql`. @param projectDir Whoever gives it removes it */
export async function startApp(settings: AppSettings = {}, projectDir?: string): Promise<App> {
  const app = await boot({
    ...(projectDir === undefined ? {} : { projectDir }),
    sql: readFileSync(join(import.meta.dirname, "fixture.sql"), "utf8"),
    settings: {
      ...settings,
      identity: { jwtSecret, jwtAlgorithm: "HS256", ...settings.identity },
      // All tests come from one address, and there are more of them than a person signs in times in five minutes.
      auth: { rateLimits: false, ...settings.auth },
      data: { schemas: ["public", "extra"], ...settings.data },
    },
  });
  const request = async (path: string, options: RequestOptions = {}): Promise<Answer> => {
    const key = options.as ?? app.anonKey;
    const isRaw = typeof options.body === "string" || options.body instanceof Uint8Array;
    const response = await fetch(app.url + path, {
      method: options.method ?? "GET",
      headers: {
        apikey: app.anonKey,
        Authorization: `Bearer ${key}`,
        ...(options.body !== undefined && !isRaw ? { "Content-Type": "application/json" } : {}),
        ...options.headers,
      },
      ...(options.body === undefined
        ? {}
        : { body: isRaw ? (options.body as string | Uint8Array<ArrayBuffer>) : JSON.stringify(options.body) }),
      redirect: "manual",
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: parse(text) };
  };
  return {
    ...app,
    request,
    rest: (path, options) => request(`/rest/v1${path}`, options),
    client: (key = app.anonKey, options = {}) =>
      createClient(app.url, key, {
        ...options,
        auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false, ...options.auth },
      }),
  };
}

/** Signs an HS256 token with the server's secret: RFC 7515 §3.1. Lives five minutes unless `claims` say otherwise. */
export function mint(claims: Readonly<Record<string, unknown>>, secret = jwtSecret): string {
  const now = Math.floor(Date.now() / 1000);
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ iat: now, exp: now + 300, ...claims })}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

/** A token of a signed-in user. */
export const userToken = (sub: string): string => mint({ sub, role: "authenticated", aud: "authenticated" });

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
