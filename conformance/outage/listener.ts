import { createClient, type RealtimeChannel, type SupabaseClient } from "@supabase/supabase-js";
import { expect, vi } from "vitest";
import { Wire } from "../supabase-js/realtime/realtime-app.ts";

/** What may take until a client, a server or PostgreSQL is back. */
export const patience = { timeout: 30_000, interval: 20 };

const password = "correct horse battery staple";

/** What an app was told, in the order it was told. */
export type Heard =
  | { readonly kind: "INSERT" | "UPDATE" | "DELETE"; readonly table: string; readonly n: number }
  | { readonly kind: "broadcast"; readonly event: string; readonly n: number };

export interface PhoneOptions {
  /** Where its server is for it. */
  readonly url: string;
  readonly anonKey: string;
  /** Whether it waits between attempts as supabase-js does unless told otherwise; otherwise it hardly waits. */
  readonly isUnhurried?: boolean;
}

/** Somebody's app: supabase-js, with one channel on which it hears everything. */
export class Phone {
  readonly client: SupabaseClient;
  readonly wire = new Wire();
  readonly heard: Heard[] = [];
  readonly statuses: string[] = [];
  readonly system: Record<string, unknown>[] = [];
  userId = "";
  channel: RealtimeChannel | null = null;

  constructor({ url, anonKey, isUnhurried = false }: PhoneOptions) {
    this.client = createClient(url, anonKey, {
      auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
      realtime: {
        transport: this.wire.transport,
        ...(isUnhurried ? {} : { reconnectAfterMs: () => 50, heartbeatIntervalMs: 2_000 }),
      },
    });
  }

  async signUp(): Promise<this> {
    const { data, error } = await this.client.auth.signUp({ email: `${crypto.randomUUID()}@outage.example`, password });
    expect(error).toBeNull();
    this.userId = data.user?.id ?? "";
    return this;
  }

  /** The same session in an app that has just started, as after a reload of its page. */
  async reload(former: Phone): Promise<this> {
    const { data } = await former.client.auth.getSession();
    const { error } = await this.client.auth.setSession(data.session!);
    expect(error).toBeNull();
    this.userId = former.userId;
    return this;
  }

  /** Listens to rows of these tables and to broadcasts of a private channel, and waits until these are on. */
  async listen(
    name: string,
    tables: readonly string[] = ["posts"],
    { presenceKey }: { readonly presenceKey?: string } = {},
  ): Promise<RealtimeChannel> {
    const presence = presenceKey === undefined ? {} : { presence: { key: presenceKey, enabled: true } };
    const channel = this.client.channel(name, { config: { private: true, broadcast: { ack: true }, ...presence } });
    this.channel = channel;
    for (const table of tables) {
      channel.on("postgres_changes", { event: "*", schema: "public", table }, ({ eventType, new: row, old }) => {
        const { n } = (eventType === "DELETE" ? old : row) as { n: number };
        this.heard.push({ kind: eventType, table, n });
      });
    }
    channel.on("broadcast", { event: "*" }, ({ event, payload }) => {
      this.heard.push({ kind: "broadcast", event, n: (payload as { n: number }).n });
    });
    channel.on("system", {}, (message: Record<string, unknown>) => void this.system.push(message));
    channel.subscribe((status) => {
      this.statuses.push(status);
      // As apps do it: a presence ends with the connection, and supabase-js does not begin it again by itself.
      if (status === "SUBSCRIBED" && presenceKey !== undefined) void channel.track({ here: true });
    });
    await vi.waitFor(() => expect(this.statuses, this.story()).toEqual(["SUBSCRIBED"]), patience);
    if (tables.length > 0) await this.replicating(1);
    return channel;
  }

  /** Says it to the others, and again until the server has it. */
  async say(n: number): Promise<void> {
    const say = () => this.channel!.send({ type: "broadcast", event: "said", payload: { n } });
    await vi.waitFor(async () => expect(await say()).toBe("ok"), patience);
  }

  /** Row changes are on for the `times`th time, by the server's own word. */
  async replicating(times: number): Promise<void> {
    await vi.waitFor(() => expect(this.timesReplicating, this.story()).toBeGreaterThanOrEqual(times), patience);
  }

  get timesReplicating(): number {
    return this.system.filter(({ message }) => message === "Subscribed to PostgreSQL").length;
  }

  /** What went over its connections, as text: what an eavesdropper on this phone knows. */
  get everything(): string {
    return this.wire.received
      .map((frame) => (typeof frame === "string" ? frame : Buffer.from(frame).toString("latin1")))
      .join("\n");
  }

  /** For whoever looks into a failure. */
  story(): string {
    return JSON.stringify({ statuses: this.statuses, system: this.system.slice(-5), heard: this.heard.slice(-5) });
  }

  async leave(): Promise<void> {
    await this.client.removeAllChannels();
    await this.client.realtime.disconnect();
  }
}

/** Each once, where it was heard first: what was in doubt comes twice. */
export function firsts(heard: readonly Heard[]): string[] {
  return [...new Set(heard.map(wordOf))];
}

export const wordOf = (heard: Heard): string =>
  heard.kind === "broadcast" ? `${heard.event} ${heard.n}` : `${heard.kind} ${heard.table} ${heard.n}`;

export const rowsOf = (phone: Phone): string[] => firsts(phone.heard.filter(({ kind }) => kind !== "broadcast"));
export const broadcastsOf = (phone: Phone, event: string): string[] =>
  firsts(phone.heard.filter((one) => one.kind === "broadcast" && one.event === event));
