import { randomBytes } from "node:crypto";
import type { Lsn } from "../../kernel/change.ts";
import type { Values } from "../../kernel/settings.ts";
import type { Observe } from "../observe/observation.ts";
import { Backoff } from "../postgres/backoff.ts";
import type { Database } from "../postgres/database.ts";
import type { ConnectReplication, ReplicationConnection } from "../postgres/replication.ts";
import { sqlStateOf } from "../postgres/sql-state.ts";
import { type LogIdentity, type PreparedSlot, prepareSlot, startCommand } from "./durable-slot.ts";
import { PgoutputError, type PgoutputMessage } from "./pgoutput.ts";
import { unavailableBecause } from "./problems.ts";
import type { changesSettings } from "./settings.ts";
import { changesStore, publicationNames } from "./store.ts";
import { openStream, type Stream } from "./stream.ts";
import type { Transactions } from "./transactions.ts";
import type { GapReason, LogState } from "./types.ts";

export interface FollowerNeeds {
  readonly database: Database;
  readonly connect: ConnectReplication;
  readonly settings: Values<typeof changesSettings>;
  readonly observe: Observe;
  readonly transactions: Transactions;
  /** The log goes on at `from`, and not where it was: for a reason, or because this is the beginning. Before anything of it comes. */
  readonly onJump: (from: Lsn, gap: GapReason | null) => Promise<void>;
  /** Entries come from now on. */
  readonly onFollowing: () => void;
  /** @returns whether it is to be tried again all the same */
  readonly onUnavailable: (problem: Error) => boolean;
}

/** Waits between attempts, in ms: the first, and the longest. */
const [retryFirstMs, retryMaxMs] = [50, 15_000];
/** How long making a slot takes before it is said why, in ms. */
const patienceMs = 3_000;
/** Attempts that end at one and the same place before the log goes on without what stands there. */
const attemptsAtPoison = 3;

/**
 * Keeps a stream of the log open for as long as it runs: when it is lost, another goes on where it was. What cannot be had any more
 * is a gap, said once; what PostgreSQL cannot decode, or we cannot read, is left behind as one, and never tried for ever.
 */
export class Follower {
  readonly #needs: FollowerNeeds;
  readonly #backoff = new Backoff(retryFirstMs, retryMaxMs);
  readonly done: Promise<void>;
  #state: LogState = "connecting";
  #problem: Error | null = null;
  #connection: ReplicationConnection | null = null;
  #publications: readonly string[] = [];
  /** `null` until a stream has been open. */
  #identity: LogIdentity | null = null;
  /** The publications are others now: the stream is to be opened anew at the next transaction's end. */
  #isStale = false;
  #isStopped = false;
  /** With these publications, the log at the position cannot be decoded. */
  #lacking: string | null = null;
  /** What is at the position cannot be read: the transaction that committed here is left out, or all until now where none is known. */
  #poison: { readonly lsn: Lsn | null } | null = null;

  constructor(needs: FollowerNeeds) {
    this.#needs = needs;
    this.done = this.#run();
  }

  get state(): LogState {
    return this.#state;
  }

  get problem(): Error | null {
    return this.#problem;
  }

  stop(): void {
    this.#isStopped = true;
    this.#backoff.cancel();
    void this.#connection?.close();
  }

  /** Looks whether it still reads from the right publications. Rejects as the database does. */
  async checkSources(): Promise<void> {
    if (this.#state !== "following") return;
    const { publications } = await changesStore.sources(this.#needs.database);
    if (publications.join() !== this.#publications.join()) this.#isStale = true;
  }

  async #run(): Promise<void> {
    let sameEnds = 0;
    while (!this.#isStopped) {
      const { transactions, observe } = this.#needs;
      const before = transactions.position;
      this.#state = "connecting";
      this.#isStale = false;
      const reason = await this.#attempt();
      const wasFollowing = this.state === "following";
      const brokenIn = transactions.openLsn;
      transactions.interrupt();
      if (this.#isStopped) break;
      if (this.#isStale && wasFollowing) continue;
      const isFurther = transactions.position > before;
      if (isFurther) this.#backoff.reset();
      if (wasFollowing) {
        if (!isPoison(reason)) sameEnds = 0;
        else if (isTooLarge(reason)) sameEnds = attemptsAtPoison;
        else sameEnds = isFurther ? 1 : sameEnds + 1;
        this.#poison = sameEnds >= attemptsAtPoison ? { lsn: brokenIn } : null;
        this.#lacking = lacksPublication(reason) ? this.#publications.join() : null;
      }
      const problem = unavailableBecause(reason);
      this.#problem = problem ?? (reason instanceof Error ? reason : new Error(String(reason)));
      if (wasFollowing || this.#backoff.attempts === 0) {
        observe({ kind: "postgres.connection-lost", lane: "log", error: reason });
      }
      if (problem !== null) {
        this.#state = "unavailable";
        if (!this.#needs.onUnavailable(problem)) return;
      }
      await this.#backoff.wait();
    }
    this.#state = "idle";
  }

  /** @returns why it is over */
  async #attempt(): Promise<unknown> {
    const { database, connect } = this.#needs;
    try {
      const sources = await changesStore.sources(database);
      this.#connection = await connect();
      // Stopped meanwhile, nobody else would close it.
      if (this.#isStopped) return undefined;
      this.#publications = sources.publications;
      this.#needs.transactions.announcesSchema = sources.announcesSchema;
      const slot = await this.#prepare(this.#connection);
      await this.#place(slot);
      const stream = await this.#open(slot);
      if (this.#backoff.attempts > 0) {
        this.#needs.observe({ kind: "postgres.reconnected", lane: "log", attempts: this.#backoff.attempts });
      }
      this.#state = "following";
      this.#problem = null;
      this.#needs.onFollowing();
      return await stream.ended;
    } catch (error) {
      return error;
    } finally {
      await this.#connection?.close();
      this.#connection = null;
    }
  }

  async #prepare(connection: ReplicationConnection): Promise<PreparedSlot> {
    const message =
      "The log waits for transactions that are running somewhere on this server: until they are over, it cannot begin.";
    const late = setTimeout(() => this.#needs.observe({ kind: "warning", area: "log", message }), patienceMs).unref();
    try {
      return await prepareSlot(connection, randomBytes(6).toString("hex"));
    } finally {
      clearTimeout(late);
    }
  }

  /** Where the stream is to begin, which is where it was whenever that can be had. */
  async #place(slot: PreparedSlot): Promise<void> {
    const { transactions, onJump, database } = this.#needs;
    const before = this.#identity;
    this.#identity = slot.identity;
    const poison = this.#poison;
    this.#poison = null;
    // A stream that begins behind the place of a commit leaves that transaction out, and nothing else.
    if (poison !== null && poison.lsn !== null) return onJump(poison.lsn + 1n, "retention");
    if (poison !== null || this.#lacking === this.#publications.join()) {
      return onJump(await changesStore.insertPosition(database), "retention");
    }
    if (before === null) return onJump(slot.from, null);
    // A restored database, or a promoted replica, has a history of its own from some place on, that we do not know.
    if (!isSameLog(before, slot.identity)) return onJump(slot.from, "slot-lost");
    if (slot.from > transactions.position) await onJump(slot.from, slot.isNew ? "slot-lost" : "retention");
  }

  #open(slot: PreparedSlot): Promise<Stream> {
    const { transactions, settings } = this.#needs;
    const publications = this.#publications.length > 0 ? this.#publications : [publicationNames.at(-1)!];
    return openStream(startCommand(slot.name, transactions.position, publications), {
      connection: this.#connection!,
      onMessage: (message, sizeBytes) => this.#take(message, sizeBytes),
      onReached: (lsn) => {
        transactions.reach(lsn);
        this.#leaveIfStale();
      },
      position: () => transactions.position,
      heartbeatMs: settings.logHeartbeatMs,
      // A server that has much to skip before its first word is not dead: it gets longer each time.
      silenceMs: settings.logSilenceMs * 2 ** Math.min(this.#backoff.attempts, 6),
    });
  }

  #take(message: PgoutputMessage, sizeBytes: number): void | Promise<void> {
    const taken = this.#needs.transactions.take(message, sizeBytes);
    if (taken instanceof Promise) return taken.then(() => this.#leaveIfStale());
    this.#leaveIfStale();
  }

  #leaveIfStale(): void {
    if (this.#isStale && !this.#needs.transactions.isOpen) this.#connection?.cut();
  }
}

const isSameLog = (a: LogIdentity, b: LogIdentity): boolean =>
  a.system === b.system && a.timeline === b.timeline && a.database === b.database;

/** SQLSTATE undefined_object: of old log, from before a publication was made, or after it was dropped. Newer servers overlook it. */
const lacksPublication = (reason: unknown): boolean => sqlStateOf(reason) === "42704";

/**
 * SQLSTATE class 54, a limit of PostgreSQL: a row whose values are larger as text than it can print (a number of a hundred thousand digits
 * takes a few bytes in jsonb). Each attempt costs a gigabyte, and ends the same way.
 */
const isTooLarge = (reason: unknown): boolean => sqlStateOf(reason)?.startsWith("54") === true;

/** Comes again each time the same place is read; what comes of connections and servers that go away does not. */
function isPoison(reason: unknown): boolean {
  if (reason instanceof PgoutputError) return true;
  const state = sqlStateOf(reason);
  return state !== null && !["08", "53", "57"].includes(state.slice(0, 2)) && unavailableBecause(reason) === null;
}
