import { type BootedApp, type BootOptions, boot } from "@mainstay/testing";

/** A whole server with two people on it, and requests to its storage. */
export interface StorageApp {
  readonly app: BootedApp;
  readonly ann: Person;
  readonly ben: Person;
  /** By the service's key unless told otherwise; a string is a token or key, `null` neither. */
  send(method: string, path: string, options?: SendOptions): Promise<Answer>;
  stop(): Promise<void>;
}

export interface Person {
  readonly id: string;
  readonly token: string;
}

export interface SendOptions {
  readonly body?: unknown;
  /** Sent as it is. */
  readonly raw?: string;
  readonly key?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Parsed JSON; `null` where there is none. */
  readonly body: ReturnType<typeof JSON.parse>;
}

export async function openStorageApp(options: BootOptions = {}): Promise<StorageApp> {
  const app = await boot(options);
  const person = async (email: string): Promise<Person> => {
    const response = await fetch(`${app.url}/auth/v1/signup`, {
      method: "POST",
      headers: { apikey: app.anonKey, "content-type": "application/json" },
      body: JSON.stringify({ email, password: "correct horse battery" }),
    });
    const { user, access_token } = JSON.parse(await response.text());
    return { id: user.id, token: access_token };
  };
  const [ann, ben] = [await person("ann@example.com"), await person("ben@example.com")];
  return {
    app,
    ann,
    ben,
    async send(method, path, { body, raw, key = app.serviceRoleKey, headers = {} } = {}) {
      const content = raw ?? (body === undefined ? undefined : JSON.stringify(body));
      const response = await fetch(`${app.url}/storage/v1${path}`, {
        method,
        headers: {
          ...(key === null ? {} : { authorization: `Bearer ${key}` }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(content === undefined ? {} : { body: content }),
      });
      const text = await response.text();
      const isJson = response.headers.get("content-type")?.startsWith("application/json") && text !== "";
      return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : null };
    },
    stop: () => app.stop(),
  };
}
