import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestDatabase, templateDatabase, testDatabase } from "@mainstay/testing";
import pg from "pg";
import { vi } from "vitest";
import { type Clock, systemClock } from "../../kernel/clock.ts";
import type { Principal } from "../../kernel/principal.ts";
import { readSettings, type Values } from "../../kernel/settings.ts";
import { type ChangeLog, changesSettings, openChangeLog } from "../../platform/changes/index.ts";
import { identitySettings, type OpenIdentity, openIdentity, type TokenSigner } from "../../platform/identity/index.ts";
import type { Nodes } from "../../platform/nodes/types.ts";
import type { Observation } from "../../platform/observe/observation.ts";
import { openPolicies, type Policies, policiesSettings } from "../../platform/policies/index.ts";
import { openDatabase } from "../../platform/postgres/database.ts";
import { parseConnectionUrl } from "../../platform/postgres/external/index.ts";
import { connectReplication } from "../../platform/postgres/replication.ts";
import { openSession } from "../../platform/postgres/session/index.ts";
import { postgresSettings } from "../../platform/postgres/settings.ts";
import { openRevocations } from "../../platform/revocation/index.ts";
import { type Channels, createChannels } from "./channels/index.ts";
import type { RealtimeContext } from "./context.ts";
import { Rooms } from "./rooms.ts";
import { realtimeSettings } from "./settings.ts";
import type { SocketHandler } from "./socket/index.ts";
import type { ChannelFeature, Incoming, Outgoing, Socket, UserBroadcast, WireVersion } from "./types.ts";

export interface TestRealtimeOptions {
  /** What channels can do, in order; left out: join and leave only. */
  readonly features?: (context: RealtimeContext) => readonly ChannelFeature[];
  readonly settings?: Partial<Values<typeof realtimeSettings>>;
  /** The app's schema, run as the superuser before anything is opened. */
  readonly sql?: string;
  /** Of another `TestRealtime`, to be a second node on it; left out: a database of its own. */
  readonly database?: TestDatabase;
  readonly clock?: Clock;
  /** `real`: the database's own; left out: nothing ever happens there. */
  readonly log?: ChangeLog | "real";
  /** `real`: the database's own, by what its log says; left out: there are none. */
  readonly policies?: Policies | "real";
  readonly nodes?: Nodes;
}

/** Channels on a real database, with sockets in memory. Close it at the end. */
export interface TestRealtime {
  readonly context: RealtimeContext;
  readonly channels: Channels;
  readonly database: TestDatabase;
  readonly observations: readonly Observation[];
  /** Of this node: to rotate. */
  readonly keys: OpenIdentity;
  /** A client with an open connection, by the project's anonymous key unless told otherwise. */
  connect(options?: {
    readonly version?: WireVersion;
    readonly key?: "anon" | "service";
    readonly clientInfo?: string;
  }): TestClient;
  /** A user's token, good for an hour. */
  token(claims?: Readonly<Record<string, unknown>>): string;
  /** Runs SQL as the superuser; gives the last statement's rows. */
  sql<R extends object = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<R[]>;
  close(): Promise<void>;
}

/** One message that a client has got. */
export interface Received {
  readonly topic: string;
  readonly event: string;
  /** Parsed JSON; for a binary broadcast `null`. */
  readonly payload: unknown;
  readonly ref: string | null;
  readonly joinRef: string | null;
  /** Of a binary frame of kind 4. */
  readonly broadcast: UserBroadcast | null;
}

export interface Reply {
  readonly status: "ok" | "error";
  readonly response: Readonly<Record<string, unknown>>;
}

export async function openTestRealtime(options: TestRealtimeOptions = {}): Promise<TestRealtime> {
  const database = options.database ?? (await testDatabase(await templateDatabase()));
  const admin = new pg.Client({ connectionString: database.url });
  admin.on("error", () => {});
  await admin.connect();
  if (options.sql !== undefined) await admin.query(options.sql);
  const keysDir = await mkdtemp(join(tmpdir(), "realtime-keys-"));
  const observations: Observation[] = [];
  const observe = (observation: Observation): void => {
    observations.push(observation);
  };
  const clock = options.clock ?? systemClock;
  const identitySetup = readSettings(identitySettings, { env: {} }).values;
  const keys = await openIdentity({ keysDir, settings: { ...identitySetup, keyPollMs: 0 }, observe, clock });
  const db = openDatabase({ connectionString: database.url });
  const revocations = await openRevocations({ database: db, settings: identitySetup, tokenSeconds: 3600 });
  keys.refuseEnded(revocations);
  const postgres = readSettings(postgresSettings, { env: {} }).values;
  const session = await openSession({ target: parseConnectionUrl(database.url), settings: postgres, observe });
  const realLog =
    options.log === "real"
      ? openChangeLog({
          database: db,
          connect: () => connectReplication({ connectionString: database.url }),
          settings: readSettings(changesSettings, { env: {} }).values,
          observe,
        })
      : null;
  const log = realLog ?? (options.log === undefined || options.log === "real" ? quietLog : options.log);
  const realPolicies =
    options.policies === "real"
      ? await openPolicies({
          database: db,
          session,
          log,
          settings: readSettings(policiesSettings, { env: {} }).values,
          observe,
        })
      : null;
  const context: RealtimeContext = {
    db,
    session,
    identity: keys.identity,
    revocations,
    log,
    policies:
      realPolicies ?? (options.policies === undefined || options.policies === "real" ? noPolicies : options.policies),
    nodes: options.nodes ?? aloneNode(),
    rooms: new Rooms(),
    settings: { ...readSettings(realtimeSettings, { env: {} }).values, ...options.settings },
    observe,
    clock,
  };
  const channels = createChannels(context, options.features?.(context) ?? []);
  channels.start();
  return {
    context,
    channels,
    database,
    observations,
    keys,
    connect({ version = "2.0.0", key = "anon", clientInfo = "" } = {}) {
      const apikey = key === "anon" ? keys.keys.publishableKey : keys.keys.secretKey;
      return new TestClient(channels, { version, clientInfo, key: keys.identity.identifyKey({ apikey }, "") });
    },
    token: (claims = {}) => tokenOf(keys.signer, clock, claims),
    async sql(text, values) {
      const result = await admin.query(text, values as unknown[]);
      return (Array.isArray(result) ? result.at(-1) : result).rows;
    },
    async close() {
      channels.stop();
      await realPolicies?.close();
      await realLog?.close();
      await session.close(AbortSignal.timeout(2_000));
      await revocations.close();
      await db.close();
      keys.close();
      await admin.end();
      await rm(keysDir, { recursive: true, force: true });
      if (options.database === undefined) await database.drop();
    },
  };
}

function tokenOf(signer: TokenSigner, clock: Clock, claims: Readonly<Record<string, unknown>>): string {
  const iat = Math.floor(clock.nowMs() / 1_000);
  return signer.sign({
    aud: "authenticated",
    role: "authenticated",
    sub: randomUUID(),
    iat,
    exp: iat + 3_600,
    ...claims,
  });
}

let clients = 0;

/** A client's end of a connection: what it sends goes straight to the channels, what it gets is kept. */
export class TestClient implements Socket {
  readonly id = `socket-${++clients}`;
  readonly version: WireVersion;
  readonly key: Principal;
  readonly address = "127.0.0.1";
  readonly clientInfo: string;
  readonly queuedBytes = 0;
  readonly received: Received[] = [];
  /** Why the server has closed it; `null` while it is open. */
  closedWith: { readonly code: number; readonly reason: string } | null = null;
  lastRef = 0;
  readonly #handler: SocketHandler;
  readonly #joinRefs = new Map<string, string>();
  /** As in a real socket: the next message is handed over when the last one is done. */
  #tail: Promise<void> = Promise.resolve();

  constructor(
    channels: Pick<Channels, "open">,
    {
      version,
      key,
      clientInfo,
    }: { readonly version: WireVersion; readonly key: Principal; readonly clientInfo: string },
  ) {
    this.version = version;
    this.key = key;
    this.clientInfo = clientInfo;
    this.#handler = channels.open(this);
  }

  send(message: Outgoing): void {
    const frame = message.frame(this.version);
    if (frame !== null && this.closedWith === null) this.received.push(readFrame(frame));
  }

  /** What is sent has arrived. */
  confirm(told: () => void): void {
    told();
  }

  readonly isGivenUp: boolean = false;

  /** And it is read. */
  confirmRead(told: () => void): void {
    told();
  }

  close(code: number, reason: string): void {
    if (this.closedWith !== null) return;
    this.closedWith = { code, reason };
    this.#handler.closed(false);
  }

  /** The connection is gone, without a word. */
  drop(): void {
    this.closedWith ??= { code: 1006, reason: "" };
    this.#handler.closed(false);
  }

  /** Sends a message as it is. @returns when it is done */
  give(message: Incoming): Promise<void> {
    const done = this.#tail.then(() => this.#handler.message(message));
    this.#tail = done;
    return done;
  }

  /** Sends an event on a channel. @returns its ref */
  push(name: string, event: string, payload: unknown, broadcast: UserBroadcast | null = null): string {
    const topic = `realtime:${name}`;
    const ref = String(++this.lastRef);
    if (event === "phx_join") this.#joinRefs.set(topic, ref);
    void this.give({ joinRef: this.#joinRefs.get(topic) ?? null, ref, topic, event, payload, broadcast });
    return ref;
  }

  /** Sends an event and waits for its answer. */
  async ask(name: string, event: string, payload: unknown): Promise<Reply> {
    const ref = this.push(name, event, payload);
    const reply = await this.waitFor((message) => message.event === "phx_reply" && message.ref === ref);
    return reply.payload as Reply;
  }

  join(name: string, config: unknown = {}, token?: string | null): Promise<Reply> {
    return this.ask(name, "phx_join", { config, ...(token === undefined ? {} : { access_token: token }) });
  }

  /** The first message, of all that came or of those to come, that fits. Rejects after `timeoutMs`, and says what came. */
  async waitFor(fits: (message: Received) => boolean, timeoutMs = 30_000): Promise<Received> {
    return vi.waitFor(
      () => {
        const found = this.received.find(fits);
        if (found === undefined) throw new Error(`Not among what came: ${JSON.stringify(this.received)}`);
        return found;
      },
      { timeout: timeoutMs, interval: 5 },
    );
  }

  of(event: string): readonly Received[] {
    return this.received.filter((message) => message.event === event);
  }
}

/** Reads a server's frame as a client does: one fragment, not masked. */
export function readFrame(frame: Buffer): Received {
  const short = frame[1]! & 0x7f;
  const data = frame.subarray(short < 126 ? 2 : short === 126 ? 4 : 10);
  if ((frame[0]! & 0x0f) === 2) return readUserBroadcast(data);
  const message: unknown = JSON.parse(data.toString());
  if (Array.isArray(message)) {
    const [joinRef, ref, topic, event, payload] = message as [string | null, string | null, string, string, unknown];
    return { joinRef, ref, topic, event, payload, broadcast: null };
  }
  const { topic, event, payload, ref, join_ref } = message as Record<string, never>;
  return { topic, event, payload, ref, joinRef: join_ref, broadcast: null } as unknown as Received;
}

function readUserBroadcast(data: Buffer): Received {
  const [kind, topicLength, eventLength, metaLength, encoding] = data as unknown as [
    number,
    number,
    number,
    number,
    number,
  ];
  if (kind !== 4) throw new Error(`A binary frame of kind ${kind}`);
  let at = 5;
  const take = (length: number): string => {
    const text = data.toString("utf8", at, at + length);
    at += length;
    return text;
  };
  const topic = take(topicLength);
  const event = take(eventLength);
  const metadata = take(metaLength);
  const broadcast = {
    event,
    metadata,
    encoding: encoding === 1 ? "json" : "bytes",
    payload: data.subarray(at),
  } as const;
  return { topic, event: "broadcast", payload: null, ref: null, joinRef: null, broadcast };
}

/** A log in which nothing happens. */
export const quietLog: ChangeLog = {
  follow: async () => ({ position: () => 0n, stop() {} }),
  followDurably() {},
  position: () => 0n,
  between: () => [],
  emit: async () => {},
  onSchemaChange: () => () => {},
  stats: () => ({
    state: "idle",
    problem: null,
    lagBytes: 0,
    retainedBytes: 0,
    ring: { bytes: 0, entries: 0, oldest: null },
    readers: [],
  }),
  close: async () => {},
};

const noPolicies: Policies = {
  prepare: async () => {},
  groupOf() {
    throw new Error("This test has no policies: give some.");
  },
  followTables() {},
  onChange: () => () => {},
  close: async () => {},
};

const aloneNode = (): Nodes => ({
  id: randomUUID(),
  others: () => [],
  onChange: () => () => {},
  close: async () => {},
});
