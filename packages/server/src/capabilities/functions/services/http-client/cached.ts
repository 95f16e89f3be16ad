import { setTimeout as delay } from "node:timers/promises";
import { Problem } from "../../../../kernel/problem.ts";
import type { OutboundReply } from "../../../../platform/outbound/index.ts";
import type { Database } from "../../../../platform/postgres/database.ts";
import type { Ask } from "./ask.ts";
import { hasCredentials, keyOf } from "./ask.ts";
import { isFailing } from "./attempts.ts";
import { cacheStore } from "./cache-store.ts";
import { ageMsOf, conditionsFor, type Kept, keptOf, placeFor, refreshed } from "./kept.ts";
import { AnswerMemory } from "./memory.ts";

export interface Answer {
  readonly kept: Kept;
  readonly source: "network" | "cache" | "stale";
}

export interface CacheLimits {
  readonly entries: number;
  readonly bytes: number;
  readonly entryBytes: number;
  readonly memoryBytes: number;
}

/** How often to look whether another node has fetched what is waited for. */
const lookFirstMs = 20;
const lookMaxMs = 250;
/** How long after its last attempt a lease ends by itself. */
const leaseMarginMs = 2_000;
const sweepEveryMs = 60_000;

/** Answers of services for whoever asks for them on any node. */
export class HttpCache {
  readonly #db: Pick<Database, "query" | "execute">;
  readonly #nodeId: string;
  readonly #limits: CacheLimits;
  /** Asks the service, by rules of its own. */
  readonly #fetch: (ask: Ask, signal: AbortSignal) => Promise<OutboundReply>;
  readonly #memory: AnswerMemory;
  readonly #underWay = new Map<string, Promise<Answer>>();
  readonly #closing = new AbortController();
  #sweepAtMs = 0;

  constructor(needs: {
    readonly db: Pick<Database, "query" | "execute">;
    readonly nodeId: string;
    readonly limits: CacheLimits;
    readonly fetch: (ask: Ask, signal: AbortSignal) => Promise<OutboundReply>;
  }) {
    this.#db = needs.db;
    this.#nodeId = needs.nodeId;
    this.#limits = needs.limits;
    this.#fetch = needs.fetch;
    this.#memory = new AnswerMemory(needs.limits.memoryBytes);
  }

  /** What is fresh, or stale and allowed to be; else the service's answer now. `ask.cacheMs` is above 0. */
  async answer(ask: Ask): Promise<Answer> {
    const key = keyOf(ask);
    const name = key.toString("latin1");
    const known = this.#memory.get(name);
    if (known !== null && ageMsOf(known) < ask.cacheMs) return { kept: known, source: "cache" };
    const isReady = known !== null && ageMsOf(known) < ask.cacheMs + ask.staleWhileRevalidateMs;
    const fetching = this.#underWay.get(name) ?? this.#begin(ask, key, name, known);
    if (!isReady) return fetching;
    fetching.catch(() => {}); // nobody waits for it: who asks next begins anew
    return { kept: known, source: "cache" };
  }

  /** Ends what is fetched for nobody, and waits for it. */
  async close(): Promise<void> {
    this.#closing.abort(new Error("The server is stopping."));
    await Promise.allSettled(this.#underWay.values());
  }

  /** One at a time for each key: it is everybody's, so nobody's leaving ends it. */
  #begin(ask: Ask, key: Buffer, name: string, known: Kept | null): Promise<Answer> {
    const isShared = !hasCredentials(ask);
    const work = isShared ? this.#fromNodes(ask, key, name, known) : this.#fromService(ask, key, name, known, false);
    const fetching = work.finally(() => this.#underWay.delete(name));
    this.#underWay.set(name, fetching);
    return fetching;
  }

  /** What another node has, or fetches at this moment. */
  async #fromNodes(ask: Ask, key: Buffer, name: string, known: Kept | null): Promise<Answer> {
    const leaseMs = (ask.timeoutMs + lookMaxMs) * (ask.retries + 1) + leaseMarginMs;
    const patienceMs = performance.now() + leaseMs;
    let best = known;
    let lookMs = lookFirstMs;
    while (performance.now() < patienceMs) {
      const found = await this.#look(key);
      if (found === null) return this.#fromService(ask, key, name, best, false);
      if (found.kept !== null && (best === null || found.kept.givenAtMs > best.givenAtMs)) best = found.kept;
      if (best !== null && ageMsOf(best) < ask.cacheMs) {
        this.#memory.set(name, best);
        return { kept: best, source: "cache" };
      }
      if (!found.isFetching && (await this.#lease(key, leaseMs, ask.cacheMs))) {
        return this.#fromService(ask, key, name, best, true);
      }
      if (best !== null && ageMsOf(best) < ask.cacheMs + ask.staleWhileRevalidateMs) {
        return { kept: best, source: "cache" };
      }
      await delay(lookMs, undefined, { signal: this.#closing.signal });
      lookMs = Math.min(lookMaxMs, lookMs * 2);
    }
    return this.#fromService(ask, key, name, best, false);
  }

  async #fromService(ask: Ask, key: Buffer, name: string, known: Kept | null, isLeased: boolean): Promise<Answer> {
    let isKept = false;
    try {
      const conditions = conditionsFor(ask, known);
      const reply = await this.#fetch({ ...ask, headers: { ...ask.headers, ...conditions } }, this.#closing.signal);
      const isStillGood = reply.status === 304 && known !== null && Object.keys(conditions).length > 0;
      const kept = isStillGood ? refreshed(known, reply) : keptOf(reply);
      if (isFailing(kept.status)) return this.#staleOr(ask, known, { kept, source: "network" });
      const place = placeFor(ask, kept, this.#limits.entryBytes);
      if (place === null) this.#memory.delete(name);
      else this.#memory.set(name, kept);
      if (place === "shared") {
        isKept = true;
        await this.#keep(ask, key, kept);
      }
      return { kept, source: "network" };
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      const stale = this.#staleOr(ask, known, null);
      if (stale === null) throw error;
      return stale;
    } finally {
      if (isLeased && !isKept) await cacheStore.release(this.#db, key, this.#nodeId).catch(() => {});
    }
  }

  #staleOr<T extends Answer | null>(ask: Ask, known: Kept | null, otherwise: T): Answer | T {
    return known !== null && ageMsOf(known) < ask.cacheMs + ask.staleIfErrorMs
      ? { kept: known, source: "stale" }
      : otherwise;
  }

  /** `null` when PostgreSQL does not answer. */
  async #look(key: Buffer) {
    try {
      return await cacheStore.find(this.#db, key);
    } catch {
      return null;
    }
  }

  #lease(key: Buffer, leaseMs: number, freshMs: number): Promise<boolean> {
    return cacheStore.lease(this.#db, { key, by: this.#nodeId, leaseMs, freshMs }).catch(() => true);
  }

  async #keep(ask: Ask, key: Buffer, kept: Kept): Promise<void> {
    const keepMs = ask.cacheMs + Math.max(ask.staleIfErrorMs, ask.staleWhileRevalidateMs);
    try {
      await cacheStore.keep(this.#db, key, this.#nodeId, kept, keepMs);
      const nowMs = performance.now();
      if (nowMs < this.#sweepAtMs) return;
      this.#sweepAtMs = nowMs + sweepEveryMs;
      await cacheStore.sweep(this.#db, this.#limits);
    } catch {
      // It is in memory, and for the others it is fetched again.
    }
  }
}
