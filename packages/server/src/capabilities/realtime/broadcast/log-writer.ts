import type { ChangeLog } from "../../../platform/changes/types.ts";
import type { Nodes } from "../../../platform/nodes/types.ts";
import type { Observe } from "../../../platform/observe/observation.ts";
import { encodeBatch, encodeRecord, logPrefix } from "./codec.ts";
import type { Published } from "./published.ts";

/** What travels in one log message, in bytes: enough to be cheap, little enough to be read in one go. */
const messageBytes = 262_144;
/** Longest wait for what is on its way, in ms: the log is read within a few of them, or PostgreSQL is away. */
const settlePatienceMs = 1_000;
/** A database that is away is reported this often, in ms. */
const reportEveryMs = 10_000;

export interface LogWriterNeeds {
  readonly log: Pick<ChangeLog, "emit">;
  readonly nodes: Pick<Nodes, "id" | "others">;
  readonly settings: {
    readonly realtimeBroadcastLoggedAlone: boolean;
    readonly realtimeBroadcastLogQueueBytes: number;
  };
  readonly observe: Observe;
}

interface Pending {
  readonly sequence: number;
  readonly record: Buffer;
}

/**
 * Writes this node's broadcasts into the log, for other nodes and for clients that come back. One group is being written at a time, so
 * that what comes meanwhile travels together: a burst costs a few messages, a single broadcast no wait.
 */
export class LogWriter {
  readonly #needs: LogWriterNeeds;
  /** Encoded, not handed to the log yet. */
  #pending: Pending[] = [];
  /** Of what is pending or being written. */
  #queuedBytes = 0;
  #next = 1;
  /** The newest number that is in the log or on its way there. */
  #lastLogged = 0;
  #lastWritten = 0;
  #lastSeen = 0;
  #isScheduled = false;
  #isHurrying = false;
  #isHurryWanted = false;
  #writing: Promise<void> | null = null;
  #reportedAtMs = Number.NEGATIVE_INFINITY;
  readonly #waiting = new Set<{ readonly sequence: number; readonly resolve: () => void }>();

  constructor(needs: LogWriterNeeds) {
    this.#needs = needs;
  }

  /** The number the next broadcast gets. */
  get next(): number {
    return this.#next;
  }

  /** Takes a broadcast on; what it is made of may change afterwards. @returns its number */
  append(sender: Buffer, published: Published): number {
    const sequence = this.#next++;
    const { settings, nodes } = this.#needs;
    if (!settings.realtimeBroadcastLoggedAlone && nodes.others().length === 0) return sequence;
    const record = encodeRecord(sender, published);
    if (this.#queuedBytes + record.length > settings.realtimeBroadcastLogQueueBytes) {
      this.#report("Broadcasts come faster than the log takes them: some reach the clients of this node only.");
      return sequence;
    }
    this.#pending.push({ sequence, record });
    this.#queuedBytes += record.length;
    this.#lastLogged = sequence;
    this.#schedule();
    return sequence;
  }

  /** The log has been read up to this number of ours. */
  seen(sequence: number): void {
    this.#lastSeen = Math.max(this.#lastSeen, sequence);
    for (const each of this.#waiting) if (each.sequence <= this.#lastSeen) each.resolve();
  }

  /** Resolves when all that was appended before has been read from the log, or after a moment without that. Never rejects. */
  async settled(): Promise<void> {
    const sequence = this.#lastLogged;
    if (sequence <= this.#lastSeen) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter = { sequence, resolve };
    this.#waiting.add(waiter);
    const timer = setTimeout(resolve, settlePatienceMs);
    void this.#hurry();
    await promise;
    clearTimeout(timer);
    this.#waiting.delete(waiter);
  }

  /** Resolves when all that was appended before is in the log, or could not be written. Never rejects. */
  async written(): Promise<void> {
    const sequence = this.#lastLogged;
    while (this.#lastWritten < sequence) await this.#flush();
  }

  /** Writes what is pending. Never rejects. */
  stop(): Promise<void> {
    return this.#flush();
  }

  #schedule(): void {
    if (this.#writing !== null || this.#isScheduled) return;
    this.#isScheduled = true;
    // At the end of the tick: what came in one read of a socket goes together.
    setImmediate(() => {
      this.#isScheduled = false;
      void this.#flush();
    });
  }

  /** Done when nothing is pending. One at a time: two would write out of order. */
  #flush(): Promise<void> {
    if (this.#writing !== null || this.#pending.length === 0) return this.#writing ?? Promise.resolve();
    this.#writing = this.#writeAll();
    return this.#writing;
  }

  /** Of what is pending at least one: it is not over before `#flush` has taken note of it. */
  async #writeAll(): Promise<void> {
    while (this.#pending.length > 0) {
      const pending = this.#pending;
      this.#pending = [];
      await this.#write(pending);
    }
    this.#writing = null;
  }

  async #write(pending: readonly Pending[]): Promise<void> {
    const { log, nodes } = this.#needs;
    const isUrgent = nodes.others().length > 0;
    const last = pending.at(-1)!.sequence;
    try {
      await Promise.all(messagesOf(nodes.id, pending).map((content) => log.emit(logPrefix, content, { isUrgent })));
    } catch {
      // It was delivered here. Waiting for PostgreSQL would hold back what it has no part in.
      this.#report("Broadcasts could not be written to the log: they reach the clients of this node only.");
      this.seen(last);
    } finally {
      this.#lastWritten = last;
      for (const { record } of pending) this.#queuedBytes -= record.length;
    }
  }

  /** What has been written without urgency may lie in PostgreSQL's memory: an urgent word behind it takes it along. */
  async #hurry(): Promise<void> {
    this.#isHurryWanted = true;
    if (this.#isHurrying) return;
    this.#isHurrying = true;
    const { log, nodes } = this.#needs;
    while (this.#isHurryWanted) {
      this.#isHurryWanted = false;
      await this.#flush();
      await log.emit(logPrefix, encodeBatch(nodes.id, this.#lastWritten + 1, []), { isUrgent: true }).catch(() => {});
    }
    this.#isHurrying = false;
  }

  #report(message: string): void {
    const nowMs = performance.now();
    if (nowMs - this.#reportedAtMs < reportEveryMs) return;
    this.#reportedAtMs = nowMs;
    this.#needs.observe({ kind: "warning", area: "realtime", message });
  }
}

/** Messages of bounded size, each of consecutive numbers. */
function messagesOf(nodeId: string, pending: readonly Pending[]): Buffer[] {
  const messages: Buffer[] = [];
  for (let from = 0, to = 0; from < pending.length; from = to) {
    const first = pending[from]!.sequence;
    let sizeBytes = 0;
    do sizeBytes += pending[to++]!.record.length;
    while (
      to < pending.length &&
      pending[to]!.sequence === first + to - from &&
      sizeBytes + pending[to]!.record.length <= messageBytes
    );
    const records = pending.slice(from, to).map(({ record }) => record);
    messages.push(encodeBatch(nodeId, first, records));
  }
  return messages;
}
