import type {
  REALTIME_SUBSCRIBE_STATES,
  RealtimeChannel,
  RealtimeClientOptions,
  RealtimePostgresChangesFilter,
  RealtimePostgresChangesPayload,
  RealtimePostgresFilterBuilder,
  SupabaseClient,
} from "@supabase/supabase-js";
import { expect, vi } from "vitest";
import { type App, type AppSettings, startApp } from "../app.ts";

/** What may take a moment: a delivery, a subscription, an end. */
export const within = { timeout: 30_000, interval: 10 };

export type Frame = string | Uint8Array;

/** A client that keeps what went over its websockets. */
export interface RealtimeApp extends App {
  /** A client with the anonymous key unless told otherwise, that comes back at once when its connection is cut. */
  realtime(options?: RealtimeClientOptions & { readonly key?: string }): Listener;
  /** Somebody who has an account and is signed in. */
  user(options?: RealtimeClientOptions): Promise<Listener & { readonly id: string; readonly email: string }>;
}

export interface Listener {
  readonly client: SupabaseClient;
  readonly wire: Wire;
}

export const password = "correct horse battery staple";

/** A server, with whatever `sql` makes on top of the fixture's tables. */
export async function startRealtimeApp(sql = "", settings: AppSettings = {}): Promise<RealtimeApp> {
  const app = await startApp({
    ...settings,
    auth: { mailerAutoconfirm: true, hashMemoryKib: 7_168, ...settings.auth },
  });
  if (sql !== "") await app.sql(sql);
  return withListeners(app);
}

type Needs = Pick<App, "client" | "anonKey" | "serviceRoleKey">;

export function withListeners<A extends Needs>(app: A): A & Pick<RealtimeApp, "realtime" | "user"> {
  const clients: SupabaseClient[] = [];
  const realtime: RealtimeApp["realtime"] = ({ key = app.anonKey, ...options } = {}) => {
    const wire = new Wire();
    const client = app.client(key, {
      realtime: { reconnectAfterMs: () => 50, transport: wire.transport, ...options },
    });
    clients.push(client);
    return { client, wire };
  };
  return {
    ...app,
    realtime,
    async user(options) {
      const email = `${crypto.randomUUID()}@conformance.example`;
      const listener = realtime(options);
      const { data, error } = await listener.client.auth.signUp({ email, password });
      expect(error).toBeNull();
      return { ...listener, id: data.user?.id ?? "", email };
    },
    ...("stop" in app
      ? {
          async stop() {
            await Promise.all(clients.map((client) => client.removeAllChannels()));
            await Promise.all(clients.map((client) => client.realtime.disconnect()));
            await (app as unknown as App).stop();
          },
        }
      : {}),
  };
}

/** Text as it went, bytes as they went, with the platform's own websocket between. */
export class Wire {
  readonly sent: Frame[] = [];
  readonly received: Frame[] = [];
  readonly urls: string[] = [];
  readonly transport: NonNullable<RealtimeClientOptions["transport"]>;
  #last: WebSocket | null = null;

  constructor() {
    const wire = this;
    this.transport = class extends WebSocket {
      constructor(address: string | URL, protocols?: string | string[]) {
        super(address, protocols);
        wire.urls.push(String(address));
        wire.#last = this;
        this.addEventListener("message", ({ data }) => wire.received.push(asFrame(data)));
      }
      override send(data: string | ArrayBufferView<ArrayBuffer> | ArrayBuffer): void {
        wire.sent.push(asFrame(data));
        super.send(data);
      }
    } as unknown as NonNullable<RealtimeClientOptions["transport"]>;
  }

  /** Payloads of text frames of an event, as they came. */
  payloads(event: string): readonly unknown[] {
    return this.#texts(this.received).flatMap((frame) => (frame.event === event ? [frame.payload] : []));
  }

  /** What was asked for in joins, in order. */
  sentPayloads(event: string): readonly unknown[] {
    return this.#texts(this.sent).flatMap((frame) => (frame.event === event ? [frame.payload] : []));
  }

  /** Frames that are bytes. */
  get bytes(): readonly Uint8Array[] {
    return this.received.filter((frame) => typeof frame !== "string");
  }

  /** Cuts the connection as the other side sees it: closed by nobody's wish. */
  cut(): void {
    this.#last?.close();
  }

  #texts(frames: readonly Frame[]): readonly { readonly event: string; readonly payload: unknown }[] {
    return frames.flatMap((frame) => {
      if (typeof frame !== "string") return [];
      const message = JSON.parse(frame);
      return [Array.isArray(message) ? { event: message[3], payload: message[4] } : message];
    });
  }
}

const asFrame = (data: unknown): Frame => {
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : String(data);
};

export interface Status {
  readonly status: `${REALTIME_SUBSCRIBE_STATES}`;
  readonly error: Error | undefined;
}

/** Subscribes; what the app is told, from then on. */
export function statusesOf(channel: RealtimeChannel): readonly Status[] {
  const statuses: Status[] = [];
  channel.subscribe((status, error) => statuses.push({ status, error }));
  return statuses;
}

/** Resolves when it is subscribed. Fails with the reason when it is not. */
export async function subscribed(channel: RealtimeChannel): Promise<readonly Status[]> {
  const statuses = statusesOf(channel);
  await vi.waitFor(() => expect(statuses).not.toEqual([]), { ...within, timeout: 30_000 });
  expect(statuses[0]).toEqual({ status: "SUBSCRIBED", error: undefined });
  return statuses;
}

/** Why a channel is refused. */
export async function refused(channel: RealtimeChannel): Promise<string> {
  const statuses = statusesOf(channel);
  await vi.waitFor(() => expect(statuses).not.toEqual([]), within);
  expect(statuses[0]?.status).toBe("CHANNEL_ERROR");
  return statuses[0]?.error?.message ?? "";
}

export interface BroadcastGot {
  readonly event: string;
  readonly payload: unknown;
  readonly meta?: unknown;
}

/** Broadcasts the channel gets, from before it is subscribed on. */
export function broadcastsOn(channel: RealtimeChannel, event = "*"): readonly BroadcastGot[] {
  const got: BroadcastGot[] = [];
  channel.on("broadcast", { event }, (message) => {
    const { type, ...rest } = message;
    expect(type).toBe("broadcast");
    got.push(rest as unknown as BroadcastGot);
  });
  return got;
}

export type ChangesAsked = {
  readonly event: "*" | "INSERT" | "UPDATE" | "DELETE";
  readonly schema: string;
  readonly table?: string;
  readonly filter?: string | RealtimePostgresFilterBuilder;
  readonly select?: string[];
};

/** Row changes the channel gets by this binding. */
export function changesOn(
  channel: RealtimeChannel,
  asked: ChangesAsked,
): RealtimePostgresChangesPayload<Record<string, unknown>>[] {
  const got: RealtimePostgresChangesPayload<Record<string, unknown>>[] = [];
  // One overload per event: the callback is the same for all of them.
  channel.on("postgres_changes", asked as RealtimePostgresChangesFilter<"*">, (change) => void got.push(change));
  return got;
}

/** `system` messages of the channel. */
export function systemOn(channel: RealtimeChannel): readonly Record<string, unknown>[] {
  const got: Record<string, unknown>[] = [];
  channel.on("system", {}, (message) => void got.push(message));
  return got;
}

/** Row changes are on, by the server's own word. */
export const replicating = (system: readonly Record<string, unknown>[]): Promise<void> =>
  vi.waitFor(
    () =>
      expect(system).toContainEqual(
        expect.objectContaining({ extension: "postgres_changes", status: "ok", message: "Subscribed to PostgreSQL" }),
      ),
    within,
  );

let names = 0;
/** A channel's name that no other test has. */
export const newName = (): string => `room-${process.pid}-${++names}`;
