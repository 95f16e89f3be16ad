import { randomBytes } from "node:crypto";
import type { LogEntry, Lsn } from "../../kernel/change.ts";
import type { Values } from "../../kernel/settings.ts";
import type { Observe } from "../observe/observation.ts";
import type { Database } from "../postgres/database.ts";
import type { ConnectReplication } from "../postgres/replication.ts";
import { ColumnTypes } from "./column-types.ts";
import { DurableReaders } from "./durable/index.ts";
import { Emitter } from "./emit.ts";
import { Follower } from "./follower.ts";
import { OwnMessages } from "./own-messages.ts";
import { problems } from "./problems.ts";
import { Readers } from "./readers.ts";
import { Relations } from "./relations.ts";
import { Ring } from "./ring.ts";
import type { changesSettings } from "./settings.ts";
import { SlotKeeper } from "./slot-keeper.ts";
import { changesStore, type SlotState } from "./store.ts";
import { type OpenMessage, Transactions } from "./transactions.ts";
import type { ChangeLog, DurableReader, EmitOptions, Following, GapReason, LiveReader, LogStats } from "./types.ts";
import { becomeVisible } from "./visible.ts";

export interface ChangeLogNeeds {
  readonly database: Database;
  /** A connection that can stream, to the same database. */
  readonly connect: ConnectReplication;
  readonly settings: Values<typeof changesSettings>;
  readonly observe: Observe;
  /** By which servers of one database know each other's messages, 32 bytes; left out: this one believes itself only. */
  readonly messageKey?: Buffer;
  /** Milliseconds since any beginning, never going back (threat X18). */
  readonly nowMs?: () => number;
}

/** Connects with the first reader. The caller closes it. */
export function openChangeLog(needs: ChangeLogNeeds): ChangeLog {
  return new Log(needs);
}

/** How often entries that are too old are looked for, in ms. */
const sweepMs = 1_000;

class Log implements ChangeLog {
  readonly #needs: ChangeLogNeeds;
  readonly #ring: Ring;
  readonly #readers: Readers;
  readonly #transactions: Transactions;
  readonly #messages: OwnMessages;
  readonly #emitter: Emitter;
  readonly #keeper: SlotKeeper;
  readonly #durable: DurableReaders;
  readonly #sweeper: NodeJS.Timeout;
  readonly #schemaListeners = new Set<(xid: number | null) => Promise<void> | void>();
  /** There for as long as the log is followed, or tried to. */
  #follower: Follower | null = null;
  /** The last one's. */
  #problem: Error | null = null;
  #slot: SlotState | null = null;
  #serverVersion: Promise<number> | null = null;
  #waiting: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = [];
  #linger: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(needs: ChangeLogNeeds) {
    const { database, settings, observe, nowMs = () => performance.now() } = needs;
    this.#needs = needs;
    this.#ring = new Ring({ maxBytes: settings.logRingBytes, maxAgeMs: settings.logRetentionMs, nowMs });
    this.#readers = new Readers({
      ring: this.#ring,
      position: () => this.position(),
      patienceMs: settings.logPatienceMs,
      nowMs,
      observe,
      onEmpty: () => this.#lingerOn(),
    });
    this.#messages = new OwnMessages({ key: needs.messageKey ?? randomBytes(32), observe, nowMs });
    const openMessage: OpenMessage = (prefix, content) => this.#messages.open(prefix, content);
    const types = new ColumnTypes(database);
    this.#transactions = new Transactions({
      relations: new Relations(types),
      types,
      batch: { changes: settings.logBatchChanges, bytes: settings.logBatchBytes },
      onEntry: (entry, sizeBytes, isFirst) => this.#append(entry, sizeBytes, isFirst),
      onSchemaChange: async (xid) => {
        await becomeVisible(database, xid);
        await this.#schemaChanged(xid);
      },
      openMessage,
    });
    this.#emitter = new Emitter({
      db: database,
      queueBytes: settings.logEmitQueueBytes,
      serverVersion: () => this.#version(),
    });
    this.#durable = new DurableReaders({ ...needs, connect: () => this.#connect(), openMessage });
    this.#keeper = new SlotKeeper({
      db: database,
      settings,
      observe,
      nowMs,
      isFollowing: () => this.#follower?.state === "following" || this.#durable.isReading,
      onState: async (state) => {
        this.#slot = state;
        await this.#follower?.checkSources();
        await this.#durable.look(state.current);
      },
    });
    this.#sweeper = setInterval(() => this.#ring.sweep(), sweepMs).unref();
  }

  async follow(reader: LiveReader, from?: Lsn): Promise<Following> {
    await this.#followed();
    const now = await changesStore.insertPosition(this.#needs.database);
    if (from === undefined) return this.#readers.add(reader, now, null);
    // A place that the log has not come to is one of another log.
    const gap: GapReason | null = from > now ? "slot-lost" : from < this.#ring.floor ? "retention" : null;
    return this.#readers.add(reader, from > now ? now : from, gap);
  }

  followDurably(reader: DurableReader): void {
    this.#durable.register(reader);
  }

  position(): Lsn {
    return this.#transactions.position;
  }

  between(from: Lsn, to: Lsn): Iterable<LogEntry> | null {
    return this.#ring.between(from, to);
  }

  emit(prefix: string, content: Buffer, options?: EmitOptions): Promise<void> {
    return this.#emitter.emit(prefix, this.#messages.seal(prefix, content), options);
  }

  onSchemaChange(listener: (xid: number | null) => Promise<void> | void): () => void {
    this.#schemaListeners.add(listener);
    return () => void this.#schemaListeners.delete(listener);
  }

  stats(): LogStats {
    const { bytes, startSeq, endSeq, floor, isPlaced } = this.#ring;
    const state = this.#follower?.state ?? (this.#problem === null ? "idle" : "unavailable");
    const problem = this.#follower?.problem ?? this.#problem;
    const isFollowing = state === "following";
    const isKnown = (isFollowing || this.#durable.isReading) && this.#slot !== null;
    return {
      state,
      problem: isFollowing ? null : (problem?.message ?? null),
      lagBytes: isKnown && isFollowing ? bytesBetween(this.position(), this.#slot!.current) : 0,
      retainedBytes: isKnown ? bytesBetween(this.#slot!.restart, this.#slot!.current) : 0,
      ring: { bytes, entries: endSeq - startSeq, oldest: isPlaced ? floor : null },
      readers: this.#durable.lags,
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#sweeper);
    if (this.#linger !== null) clearTimeout(this.#linger);
    const following = this.#follower;
    following?.stop();
    await this.#durable.close();
    await this.#keeper.close();
    await following?.done;
    this.#refuse(problems.closed());
  }

  /** To read: by then it is known what news of the schema come with. */
  async #connect(): ReturnType<ConnectReplication> {
    this.#messages.schemaWord = await changesStore.schemaWord(this.#needs.database);
    return this.#needs.connect();
  }

  /** Resolves when entries come. */
  async #followed(): Promise<void> {
    if (this.#isClosed) throw problems.closed();
    if (this.#linger !== null) clearTimeout(this.#linger);
    this.#linger = null;
    if (this.#follower?.state === "following") return;
    const following = new Promise<void>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    this.#follower ??= this.#start();
    await following;
  }

  #start(): Follower {
    const follower = new Follower({
      ...this.#needs,
      connect: () => this.#connect(),
      transactions: this.#transactions,
      onJump: (from, gap) => this.#jump(from, gap),
      onFollowing: () => {
        for (const { resolve } of this.#waiting.splice(0)) resolve();
        void this.#keeper.check();
      },
      onUnavailable: (problem) => {
        this.#problem = problem;
        this.#refuse(problem);
        return this.#readers.size > 0;
      },
    });
    void follower.done.then(() => {
      this.#follower = null;
      this.#ring.reset();
      // Somebody came while it was on its way out.
      if (this.#waiting.length > 0 && !this.#isClosed) this.#follower = this.#start();
    });
    this.#problem = null;
    return follower;
  }

  #refuse(error: unknown): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  async #jump(from: Lsn, gap: GapReason | null): Promise<void> {
    this.#transactions.jump(from);
    this.#ring.reset(from);
    if (gap === null) return;
    const words =
      gap === "retention" ? "is no longer kept" : "is lost with the slot that kept it, or of another database";
    this.#needs.observe({
      kind: "warning",
      area: "log",
      message: `What stood in the log ${words}: readers begin anew.`,
    });
    this.#readers.gap(gap);
    await this.#schemaChanged(null);
  }

  #append(entry: LogEntry, sizeBytes: number, isFirst: boolean): void | Promise<void> {
    const waiting = this.#readers.makeWay(this.#ring.seqToFit(sizeBytes));
    const append = () => {
      this.#ring.push(entry, sizeBytes, isFirst);
      this.#readers.wake();
    };
    if (waiting instanceof Promise) return waiting.then(append);
    append();
  }

  /** All are told, whatever becomes of the others; the log waits for them. */
  async #schemaChanged(xid: number | null): Promise<void> {
    const told = [...this.#schemaListeners].map(async (listener) => listener(xid));
    const outcomes = await Promise.allSettled([...told, this.#follower?.checkSources()]);
    for (const outcome of outcomes) {
      if (outcome.status === "fulfilled") continue;
      const message = `Not everybody has taken in a change of the schema: ${String(outcome.reason)}`;
      this.#needs.observe({ kind: "warning", area: "log", message });
    }
  }

  /** Nobody reads any more: whoever is back soon finds everything, and later the connection is not worth what it costs. */
  #lingerOn(): void {
    if (this.#isClosed || this.#linger !== null) return;
    const leave = () => {
      this.#linger = null;
      if (this.#readers.size === 0 && this.#waiting.length === 0) this.#follower?.stop();
    };
    this.#linger = setTimeout(leave, this.#needs.settings.logRetentionMs).unref();
  }

  #version(): Promise<number> {
    this.#serverVersion ??= changesStore.serverVersion(this.#needs.database).catch((error: unknown) => {
      this.#serverVersion = null;
      throw error;
    });
    return this.#serverVersion;
  }
}

const bytesBetween = (from: Lsn | null, to: Lsn): number => (from === null || from > to ? 0 : Number(to - from));
