import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { type BootedApp, boot } from "@mainstay/testing";
import { createClient, type SupabaseClient, type SupabaseClientOptions } from "@supabase/supabase-js";
import type { AppSettings } from "../app.ts";
import { deepLink } from "./auth-app.ts";
import { type Inbox, openInbox } from "./inbox.ts";

/** What the nodes share, and nobody else knows. */
const env = { MAINSTAY_MASTER_KEY: "what two nodes of one database share" };
const mainstayBin = join(
  dirname(createRequire(import.meta.url).resolve("@mainstay/cli/package.json")),
  "bin",
  "mainstay.mjs",
);

export interface Node {
  readonly url: string;
  readonly inbox: Inbox;
  client(options?: SupabaseClientOptions<"public">["auth"]): SupabaseClient;
  readonly admin: SupabaseClient["auth"]["admin"];
  /** What `/rest` answers whoever brings this access token, whatever becomes of the session in a client. */
  restStatus(token: string): Promise<number>;
}

/** Two servers on one database, with nothing else in common but a secret. */
export interface Nodes {
  readonly a: Node;
  readonly b: Node;
  /** Runs the real `mainstay` command somewhere else, against the database. */
  mainstay(...args: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

export async function startNodes(auth: AppSettings["auth"] = {}): Promise<Nodes> {
  const settings = {
    auth: {
      inbox: "on" as const,
      mailerAutoconfirm: false,
      redirectAllowList: [deepLink],
      rateLimits: false,
      hashMemoryKib: 7_168,
      ...auth,
    },
  };
  const first = await boot({
    env,
    settings,
    sql: `create table public.notes (id int generated always as identity primary key, owner_id uuid default auth.uid(), body text);
      alter table public.notes enable row level security;
      create policy "own notes" on public.notes for all to authenticated using (owner_id = auth.uid());
      grant select, insert on public.notes to authenticated;`,
  });
  // Its own database is left alone: the environment names the first one's.
  const second = await boot({ env: { ...env, DATABASE_URL: first.databaseUrl }, settings });
  const dir = await mkdtemp(join(tmpdir(), "mainstay-nodes-"));
  const node = ({ url, publishableKey, secretKey }: BootedApp): Node => {
    const client = (key: string, options: SupabaseClientOptions<"public">["auth"] = {}) =>
      createClient(url, key, {
        auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false, ...options },
      });
    return {
      url,
      inbox: openInbox(url),
      client: (options) => client(publishableKey, options),
      admin: client(secretKey).auth.admin,
      restStatus: async (token) =>
        (
          await createClient(url, publishableKey, { accessToken: async () => token })
            .from("notes")
            .select("body")
        ).status,
    };
  };
  return {
    a: node(first),
    b: node(second),
    async mainstay(...args) {
      const { PATH = "", NODE_COMPILE_CACHE = "" } = process.env;
      await promisify(execFile)(process.execPath, [mainstayBin, ...args, "--dir", dir], {
        env: { PATH, NODE_COMPILE_CACHE, HOME: dir, DATABASE_URL: first.databaseUrl, ...env },
      });
    },
    async stop() {
      await second.stop();
      await first.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
