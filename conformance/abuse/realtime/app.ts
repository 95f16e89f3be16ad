import { type BootedApp, type BootOptions, boot } from "@mainstay/testing";
import pg from "pg";
import { mint } from "../app.ts";
import { Client, type ConnectOptions } from "./client.ts";

/** The secret that `mint` of the folder above signs with. */
const jwtSecret = "abuse-secret-of-at-least-thirty-two-bytes-000000";

export interface RealtimeApp extends BootedApp {
  /** A websocket with the anonymous key unless told otherwise; cut when the app stops. */
  connect(options?: ConnectOptions): Promise<Client>;
  /** A connection to PostgreSQL of its own, as the superuser; ended when the app stops. */
  session(): Promise<pg.Client>;
  /** A request as `role`'s key, or with a token. */
  request(
    path: string,
    options?: { readonly method?: string; readonly body?: unknown; readonly as?: string },
  ): Promise<Response>;
}

export async function startRealtime(sql = "", settings: BootOptions["settings"] = {}): Promise<RealtimeApp> {
  const app = await boot({
    sql,
    settings: {
      ...settings,
      identity: { jwtSecret, jwtAlgorithm: "HS256", jwtLeewaySeconds: 0, ...settings.identity },
      auth: { rateLimits: false, mailerAutoconfirm: true, hashMemoryKib: 7_168, hashPasses: 1, ...settings.auth },
    },
  });
  return withClients(app);
}

export function withClients(app: BootedApp): RealtimeApp {
  const clients: Client[] = [];
  const sessions: pg.Client[] = [];
  return {
    ...app,
    async connect(options = {}) {
      const client = await Client.open(app.url, { key: app.anonKey, ...options });
      clients.push(client);
      return client;
    },
    async session() {
      const session = new pg.Client({ connectionString: app.databaseUrl });
      await session.connect();
      sessions.push(session);
      return session;
    },
    request: (path, { method = "POST", body, as = app.anonKey } = {}) =>
      fetch(`${app.url}${path}`, {
        method,
        headers: { apikey: app.anonKey, authorization: `Bearer ${as}`, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    async stop() {
      for (const client of clients) client.cut();
      for (const session of sessions) await session.end();
      await app.stop();
    },
  };
}

/** A user's token, signed with the server's secret. */
export const tokenOf = (sub: string, claims: Readonly<Record<string, unknown>> = {}): string =>
  mint({ sub, role: "authenticated", aud: "authenticated", ...claims });

/** `00000000-0000-4000-8000-…` */
export const userId = (number: number): string => `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;

/** All that the server has said went wrong with itself. */
export const failuresOf = ({ observations }: Pick<BootedApp, "observations">): readonly unknown[] =>
  observations.filter(({ kind }) => kind === "request.failed");
