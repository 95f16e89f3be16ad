import { reasonOf } from "../../kernel/reason.ts";
import { Rest } from "../../kernel/rest.ts";
import type { Values } from "../../kernel/settings.ts";
import type { Observe } from "../observe/observation.ts";
import { redact } from "../observe/redact.ts";
import { Breaker } from "../outbound/index.ts";
import type { Database } from "../postgres/database.ts";
import { DeliveryError } from "./delivery-error.ts";
import type { outboxSettings } from "./settings.ts";
import { type ClaimedRow, outboxStore } from "./store.ts";
import type { Channel } from "./types.ts";

export interface WorkerNeeds {
  readonly db: Pick<Database, "query" | "background">;
  readonly settings: Values<typeof outboxSettings>;
  readonly observe: Observe;
  /** What a row says: the message; `decoy` when it is none. @throws when it cannot be read */
  readonly read: (row: ClaimedRow) => { readonly message: unknown; readonly isDecoy: boolean };
}

/** Characters of an error that the database keeps. */
const errorMaxLength = 500;
/** Messages that are out and could not be written off yet: beyond it the oldest may be delivered twice. */
const deliveredMax = 10_000;
/** Retries that are met to the millisecond; further ones are found at the next look. */
const retriesMax = 1_000;

/** Delivers the messages of one channel, on one node. */
export class ChannelWorker {
  readonly #channel: Channel<unknown>;
  readonly #needs: WorkerNeeds;
  readonly #breaker: Breaker;
  readonly #underWay = new Map<string, { readonly row: ClaimedRow; readonly done: Promise<void> }>();
  readonly #delivered = new Set<string>();
  readonly #abort = new AbortController();
  #isStopping = false;
  #isWoken = false;
  readonly #rest = new Rest();
  /** When retries of ours are due, by the monotonic clock: the look for what nobody announced comes later. */
  #retriesAtMs: number[] = [];
  #loop: Promise<void> = Promise.resolve();
  #renewals: NodeJS.Timeout | null = null;

  constructor(channel: Channel<unknown>, needs: WorkerNeeds) {
    this.#channel = channel;
    this.#needs = needs;
    const { outboxBreakerFailures, outboxRetryFirstMs, outboxRetryMaxMs } = needs.settings;
    this.#breaker = new Breaker(
      { failures: outboxBreakerFailures, firstMs: outboxRetryFirstMs, maxMs: outboxRetryMaxMs },
      () => performance.now(),
    );
  }

  start(): void {
    this.#loop = this.#run();
    this.#renewals = setInterval(() => this.#renew(), this.#needs.settings.outboxLeaseMs / 3);
    this.#renewals.unref();
  }

  /** There may be something to do. */
  wake(): void {
    this.#isWoken = true;
    this.#rest.wake();
  }

  async stop(signal: AbortSignal): Promise<void> {
    this.#isStopping = true;
    this.wake();
    const hurry = () => this.#abort.abort();
    if (signal.aborted) hurry();
    else signal.addEventListener("abort", hurry, { once: true });
    await this.#loop;
    await Promise.all([...this.#underWay.values()].map(({ done }) => done));
    signal.removeEventListener("abort", hurry);
    if (this.#renewals !== null) clearInterval(this.#renewals);
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      const wasWoken = this.#isWoken;
      this.#isWoken = false;
      const room = this.#room();
      const taken = room > 0 ? await this.#take(room, wasWoken) : 0;
      // A full catch says that there is more.
      if (taken > 0 && taken === room) continue;
      await this.#sleep();
    }
  }

  /** How many messages may be begun. */
  #room(): number {
    return Math.min(this.#needs.settings.outboxConcurrency, this.#breaker.room) - this.#underWay.size;
  }

  async #take(count: number, wasWoken: boolean): Promise<number> {
    const { db, settings } = this.#needs;
    const nowMs = performance.now();
    this.#retriesAtMs = this.#retriesAtMs.filter((atMs) => atMs > nowMs);
    try {
      // Who looks without having been told mostly finds nothing, and keeps no connection for it.
      const rows = await outboxStore.claim(wasWoken ? db : db.background, {
        channel: this.#channel.name,
        count,
        leaseMs: settings.outboxLeaseMs,
      });
      for (const row of rows) this.#begin(row);
      return rows.length;
    } catch {
      // PostgreSQL is away, which others tell: what is kept there stays, and the next look finds it.
      return 0;
    }
  }

  #begin(row: ClaimedRow): void {
    const done = this.#handle(row)
      // The database went away between the delivery and its account: the lease runs out and the message is seen again.
      .catch(() => {})
      .finally(() => {
        this.#underWay.delete(row.id);
        this.wake();
      });
    this.#underWay.set(row.id, { row, done });
  }

  async #handle(row: ClaimedRow): Promise<void> {
    const { db, read } = this.#needs;
    if (this.#delivered.has(row.id)) return this.#settle(row.id);
    let message: unknown;
    try {
      const content = read(row);
      if (content.isDecoy) return outboxStore.settle(db, row.id);
      message = content.message;
    } catch (error) {
      return this.#giveUp(row, null, error);
    }
    if (row.isExpired) return this.#giveUp(row, message, new Error("Its time is over."));
    try {
      await this.#attempt(row, message);
    } catch (error) {
      return this.#retry(row, message, error);
    }
    if (this.#breaker.isDown) this.#needs.observe({ kind: "outbox.provider-back", channel: this.#channel.name });
    this.#breaker.succeeded();
    if (this.#delivered.size < deliveredMax) this.#delivered.add(row.id);
    await this.#settle(row.id);
  }

  async #attempt(row: ClaimedRow, message: unknown): Promise<void> {
    const timeout = AbortSignal.timeout(this.#needs.settings.outboxAttemptMs);
    const signal = AbortSignal.any([this.#abort.signal, timeout]);
    // A channel that does not hear the signal must not keep the place for ever.
    const late = new Promise<never>((_resolve, reject) => {
      signal.addEventListener(
        "abort",
        () =>
          reject(
            timeout.aborted
              ? new DeliveryError("The provider did not answer in time.", { isProviderDown: true })
              : new DeliveryError("The server is stopping."),
          ),
        { once: true },
      );
    });
    late.catch(() => {});
    await Promise.race([this.#channel.deliver(message, { id: row.id, attempt: row.attempts, signal }), late]);
  }

  async #settle(id: string): Promise<void> {
    await outboxStore.settle(this.#needs.db, id);
    this.#delivered.delete(id);
  }

  async #retry(row: ClaimedRow, message: unknown, error: unknown): Promise<void> {
    const { db, settings, observe } = this.#needs;
    const failure = error instanceof DeliveryError ? error : new DeliveryError(reasonOf(error), { cause: error });
    if (failure.isFinal) return this.#giveUp(row, message, failure);
    if (this.#abort.signal.aborted) return outboxStore.retryLater(db, row, 0, failure.message);
    const retryAfterMs = failure.retryAfterSeconds === null ? null : failure.retryAfterSeconds * 1_000;
    if (failure.isProviderDown) {
      const wasDown = this.#breaker.isDown;
      this.#breaker.failed(retryAfterMs);
      if (!wasDown && this.#breaker.isDown) {
        observe({ kind: "outbox.provider-down", channel: this.#channel.name, error: failure });
      }
    }
    const { outboxRetryFirstMs, outboxRetryMaxMs } = settings;
    const ownMs = Math.min(outboxRetryMaxMs, outboxRetryFirstMs * 2 ** Math.min(row.attempts - 1, 20));
    const waitMs = Math.max(ownMs * (0.5 + Math.random() / 2), retryAfterMs ?? 0);
    if (waitMs >= row.leftMs) return this.#giveUp(row, message, failure);
    await outboxStore.retryLater(db, row, waitMs, redact(failure.message).slice(0, errorMaxLength));
    if (this.#retriesAtMs.length < retriesMax) this.#retriesAtMs.push(performance.now() + waitMs);
  }

  async #giveUp(row: ClaimedRow, message: unknown, error: unknown): Promise<void> {
    const { db, observe } = this.#needs;
    const { name } = this.#channel;
    await outboxStore.settle(db, row.id);
    observe({ kind: "outbox.given-up", channel: name, id: row.id, attempts: row.attempts, error });
    await this.#channel.onGivenUp?.(message, { id: row.id, attempt: row.attempts }, redact(reasonOf(error)));
  }

  #renew(): void {
    const claims = [...this.#underWay.values()].map(({ row }) => row);
    if (claims.length === 0) return;
    // Not renewed, the lease runs out: another node may deliver a second copy, and that is what at least once means.
    outboxStore.renew(this.#needs.db, claims, this.#needs.settings.outboxLeaseMs).catch(() => {});
  }

  /** Until it is woken, something of ours is due, the provider has rested, or it is time to look. */
  #sleep(): Promise<void> {
    if (this.#isWoken || this.#isStopping) return Promise.resolve();
    // Without room a retry that is due waits for what is under way, whose end wakes us: until then there is nothing to look at.
    const dueMs = this.#room() > 0 ? Math.min(...this.#retriesAtMs) - performance.now() : Number.POSITIVE_INFINITY;
    const restMs = this.#breaker.restMs;
    const waitMs = Math.max(1, Math.min(this.#needs.settings.outboxPollMs, restMs > 0 ? restMs : dueMs));
    return this.#rest.take(waitMs + 1);
  }
}
