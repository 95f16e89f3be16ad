import { boot } from "@mainstay/testing";
import { createClient } from "@supabase/supabase-js";
import type { App } from "../app.ts";
import { type RealtimeApp, withListeners } from "./realtime-app.ts";

/** What two nodes of one database share, besides it. */
const env = { MAINSTAY_MASTER_KEY: "what two nodes of one database share" };

export interface Node extends Pick<RealtimeApp, "realtime" | "user"> {
  readonly url: string;
}

export interface TwoNodes {
  readonly a: Node;
  readonly b: Node;
  /** As the owner of the database. */
  sql(text: string): Promise<readonly Record<string, unknown>[]>;
  stop(): Promise<void>;
}

/** Two servers on one database, with whatever `sql` makes in it. */
export async function startTwoNodes(sql: string): Promise<TwoNodes> {
  const settings = { auth: { mailerAutoconfirm: true, rateLimits: false, hashMemoryKib: 7_168 } };
  const first = await boot({ env, settings, sql });
  const second = await boot({ env: { ...env, DATABASE_URL: first.databaseUrl }, settings });
  const [a, b] = [nodeOf(first), nodeOf(second)];
  return {
    a,
    b,
    sql: first.sql,
    async stop() {
      await b.stop();
      await a.stop();
    },
  };
}

const nodeOf = (app: Awaited<ReturnType<typeof boot>>) =>
  withListeners({
    url: app.url,
    anonKey: app.publishableKey,
    serviceRoleKey: app.secretKey,
    client: ((key, options) =>
      createClient(app.url, key ?? app.publishableKey, {
        ...options,
        auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
      })) as App["client"],
    stop: app.stop,
  });
