import { randomUUID } from "node:crypto";
import type { RealtimeChannel, RealtimeChannelOptions, SupabaseClient } from "@supabase/supabase-js";
import type { JSHandle, Page } from "playwright-core";
import { expect } from "vitest";
import type { Project } from "./site.ts";

/** Longer than anything takes here: what does not come at all says so in the end. In ms. */
const soon = { interval: 20, timeout: 30_000 };

/** What a page has been told on a channel, as its listeners were called. */
export type Told =
  | { readonly kind: "status"; readonly status: string; readonly problem: string | null }
  | { readonly kind: "system"; readonly extension: string; readonly status: string; readonly message: string }
  | { readonly kind: "change"; readonly change: Readonly<Record<string, unknown>> }
  /** Bytes come as `{ bytes: [0, 255] }`: they have to leave the page. */
  | { readonly kind: "broadcast"; readonly event: string; readonly payload: unknown }
  | { readonly kind: "presence"; readonly keys: readonly string[] };

type Of<K extends Told["kind"]> = Extract<Told, { readonly kind: K }>;

/** A client in a page, and who it is signed in as. */
export interface PageClient {
  readonly page: Page;
  readonly client: JSHandle<SupabaseClient>;
  /** Joins, and keeps all that it is told. Resolves when it is subscribed, to rows too where it wants some; not when `isRefused`. */
  channel(name: string, wanted?: ChannelWanted): Promise<PageChannel>;
}

export interface ChannelWanted {
  readonly options?: RealtimeChannelOptions;
  /** Of `public`. */
  readonly rowsOf?: string;
  readonly tracksPresence?: boolean;
  readonly isRefused?: boolean;
}

export interface PageChannel {
  readonly channel: JSHandle<RealtimeChannel>;
  told(): Promise<readonly Told[]>;
  /** All of one kind so far. */
  all<K extends Told["kind"]>(kind: K): Promise<readonly Of<K>[]>;
  /** Waits for the first that fits. */
  first<K extends Told["kind"]>(kind: K, fits?: (told: Of<K>) => boolean): Promise<Of<K>>;
  /** What the library says of it: `ok`, `timed out` … Numbers in `bytes` are sent as bytes. */
  broadcast(event: string, payload: unknown): Promise<string>;
  track(state: Readonly<Record<string, unknown>>): Promise<string>;
}

/** Opens the site in the page, with a client that looks for its server every `heartbeatIntervalMs`. */
export async function openRealtime(
  page: Page,
  url: string,
  { url: serverUrl, anonKey }: Project,
  { heartbeatIntervalMs = 25_000 } = {},
): Promise<PageClient> {
  await page.goto(url);
  const client = await page.evaluateHandle(
    ({ serverUrl, anonKey, heartbeatIntervalMs }) => {
      const { supabase } = globalThis as unknown as { supabase: typeof import("@supabase/supabase-js") };
      return supabase.createClient(serverUrl, anonKey, { realtime: { heartbeatIntervalMs } });
    },
    { serverUrl, anonKey, heartbeatIntervalMs },
  );
  return {
    page,
    client,
    async channel(name, wanted = {}) {
      const joined = await join(client, name, wanted);
      if (wanted.isRefused) return joined;
      await joined.first("status", ({ status }) => status === "SUBSCRIBED");
      if (wanted.rowsOf !== undefined)
        await joined.first("system", ({ extension }) => extension === "postgres_changes");
      return joined;
    },
  };
}

/** Makes somebody an account, in the page. @returns the account's id */
export async function signUp({ client }: PageClient): Promise<string> {
  return client.evaluate(
    async (client, given) => {
      const { data, error } = await client.auth.signUp(given);
      if (error) throw error;
      return data.user?.id ?? "";
    },
    { email: `${randomUUID()}@browser.example`, password: "correct horse battery staple" },
  );
}

async function join(
  client: JSHandle<SupabaseClient>,
  name: string,
  { options = { config: {} }, rowsOf, tracksPresence = false }: ChannelWanted,
): Promise<PageChannel> {
  const made = await client.evaluateHandle(
    (client, { name, options, rowsOf, tracksPresence }) => {
      const told: Told[] = [];
      const channel = client.channel(name, options);
      channel.on("system", {}, ({ extension, status, message }) => {
        told.push({ kind: "system", extension, status, message });
      });
      channel.on("broadcast", { event: "*" }, ({ event, payload }) => {
        const isBytes = payload instanceof ArrayBuffer;
        told.push({ kind: "broadcast", event, payload: isBytes ? { bytes: [...new Uint8Array(payload)] } : payload });
      });
      if (rowsOf !== undefined) {
        channel.on("postgres_changes", { event: "*", schema: "public", table: rowsOf }, (change) => {
          told.push({ kind: "change", change: { ...change } });
        });
      }
      if (tracksPresence) {
        channel.on("presence", { event: "sync" }, () => {
          told.push({ kind: "presence", keys: Object.keys(channel.presenceState()).sort() });
        });
      }
      channel.subscribe((status, error) => {
        told.push({ kind: "status", status, problem: error?.message ?? null });
      });
      return { channel, told };
    },
    { name, options, rowsOf, tracksPresence },
  );
  const [channel, record] = await Promise.all([made.getProperty("channel"), made.getProperty("told")]);
  const told = (): Promise<readonly Told[]> => record.jsonValue();
  const all = async <K extends Told["kind"]>(kind: K): Promise<readonly Of<K>[]> =>
    (await told()).filter((one): one is Of<K> => one.kind === kind);
  return {
    channel,
    told,
    all,
    async first(kind, fits = () => true) {
      const find = async () => (await all(kind)).find(fits);
      await expect
        .poll(async () => (await find()) ?? (await told()), { ...soon, message: `a ${kind} on ${name}` })
        .toMatchObject({ kind });
      return (await find())!;
    },
    broadcast: (event, payload) =>
      channel.evaluate(
        (channel, { event, payload }) => {
          const { bytes } = payload as { bytes?: number[] };
          return channel.send({
            type: "broadcast",
            event,
            payload: bytes === undefined ? payload : new Uint8Array(bytes).buffer,
          });
        },
        { event, payload },
      ),
    track: (state) => channel.evaluate((channel, state) => channel.track(state), state),
  };
}
