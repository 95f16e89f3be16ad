import type { Observe } from "../../observe/observation.ts";
import { Connection, type ConnectionOptions, type ConnectionOwner } from "./connection.ts";
import { type Greeted, greet, openSocket } from "./handshake.ts";
import { Job } from "./job.ts";
import { sessionProblems } from "./problems.ts";
import type { ConnectionTarget } from "./target.ts";
import { DatabaseError } from "./types.ts";
import { cancelMessage } from "./wire.ts";

export interface LaneOptions extends ConnectionOptions {
  readonly name: string;
  /** Connections kept open when nothing happens, and at most. */
  readonly minConnections: number;
  readonly maxConnections: number;
  /** Most flights on one connection. 1 makes cancelling safe: nobody else can be hit. */
  readonly depth: number;
  /** Outstanding flights on the least busy connection at which another one is opened. */
  readonly growAt: number;
  readonly queueLimit: number;
  readonly queueTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** How long requests wait for a PostgreSQL that is away before they are told. */
  readonly patienceMs: number;
  /** A connection unused for this long is closed, down to the minimum. */
  readonly idleTimeoutMs: number;
  /** Silence at the head after which we ask PostgreSQL whether it is still working on it. */
  readonly doubtAfterMs: number;
  readonly startupParameters: Readonly<Record<string, string>>;
}

const BACKOFF_FIRST_MS = 50;
const BACKOFF_MOST_MS = 3_000;
const SWEEP_MS = 250;

/** Told how long each flight was served, to learn which shapes are slow. */
export type OnServed = (job: Job, serviceMs: number) => void;

/**
 * Connections of one kind and the queue before them. Grows when its connections are busy, shrinks when they are not,
 * reconnects with back-off, and refuses when the queue is full: memory is bounded whatever callers do.
 */
export class Lane implements ConnectionOwner {
  readonly #target: ConnectionTarget;
  readonly #options: LaneOptions;
  readonly #observe: Observe;
  readonly #onServed: OnServed;
  readonly #connections: Connection[] = [];
  readonly #inDoubt = new Set<Connection>();
  #queue: Job[] = [];
  #opening = 0;
  #failures = 0;
  #lastFailure: unknown = null;
  #awaySinceMs: number | null = null;
  #retryTimer: NodeJS.Timeout | null = null;
  readonly #sweep: NodeJS.Timeout;
  #isClosing = false;

  constructor(target: ConnectionTarget, options: LaneOptions, observe: Observe, onServed: OnServed) {
    this.#target = target;
    this.#options = options;
    this.#observe = observe;
    this.#onServed = onServed;
    this.#sweep = setInterval(() => this.#tidy(), SWEEP_MS);
    this.#sweep.unref();
  }

  get connections(): number {
    return this.#connections.length;
  }

  get inFlight(): number {
    let sum = 0;
    for (const connection of this.#connections) sum += connection.outstanding;
    return sum;
  }

  get queued(): number {
    return this.#queue.length;
  }

  /** Opens the minimum, so that a wrong password or a missing server is known at start. */
  async open(): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.minConnections }, () => this.#connect()));
  }

  submit(job: Job): void {
    if (this.#isClosing) return job.reject(sessionProblems.closed());
    const connection = this.#queue.length === 0 ? this.#choose() : undefined;
    if (connection !== undefined) return connection.send(job);
    if (this.#queue.length >= this.#options.queueLimit) return job.reject(sessionProblems.full());
    this.#queue.push(job);
    this.#grow();
  }

  /** A flight's caller has left. Drops it when it has not been written; cancels it where nobody else can be hit. */
  abandon(job: Job): void {
    const queued = this.#queue.indexOf(job);
    if (queued >= 0) {
      this.#queue.splice(queued, 1);
      return;
    }
    if (this.#options.depth > 1) return;
    const connection = this.connectionOf(job);
    if (connection) void this.#cancel(connection);
  }

  /** Where a flight is being worked on. */
  connectionOf(job: Job): Connection | undefined {
    return this.#connections.find((connection) => connection.head === job);
  }

  async close(signal?: AbortSignal): Promise<void> {
    this.#isClosing = true;
    if (this.#retryTimer) clearTimeout(this.#retryTimer);
    while ((this.inFlight > 0 || this.#queue.length > 0) && !signal?.aborted && this.#connections.length > 0) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    clearInterval(this.#sweep);
    for (const job of this.#queue.splice(0)) job.reject(sessionProblems.closed());
    for (const connection of this.#connections.splice(0)) {
      if (connection.outstanding === 0) connection.end();
      else connection.destroy(sessionProblems.closed());
    }
  }

  onFinished(connection: Connection, job: Job, serviceMs: number): void {
    this.#onServed(job, serviceMs);
    if (!job.isSettled) {
      job.isSettled = true;
      if (job.error !== null) job.reject(job.error);
      else job.resolve(job);
    }
    this.#feed(connection);
  }

  onRetry(connection: Connection, job: Job): void {
    job.rewind();
    if (connection.isUsable && connection.outstanding < this.#options.depth) connection.send(job);
    else this.#queue.unshift(job);
  }

  onLost(connection: Connection, error: unknown, unfinished: readonly Job[]): void {
    const index = this.#connections.indexOf(connection);
    if (index >= 0) this.#connections.splice(index, 1);
    if (this.#isClosing && unfinished.length === 0) return;
    this.#observe({ kind: "postgres.connection-lost", lane: this.#options.name, error });
    const again: Job[] = [];
    for (const job of unfinished) {
      if (job.isSettled) continue;
      // What was never written, or only reads, may go again, once; a write may have been committed, and only the caller can tell.
      if (
        (job.flight.isRetryable || !job.isWritten) &&
        job.attempts === 0 &&
        job.consumer === null &&
        !this.#isClosing
      ) {
        job.rewind();
        again.push(job);
      } else {
        job.isSettled = true;
        job.reject(
          sessionProblems.unavailable(
            error,
            job.flight.isRetryable ? null : "Whether the write happened is not known.",
          ),
        );
      }
    }
    this.#queue.unshift(...again);
    if (this.#queue.length > 0 || this.#connections.length < this.#options.minConnections) this.#grow();
  }

  /** The connection with the least work that is open to more: one that is stuck keeps its work, and so gets none. */
  #choose(): Connection | undefined {
    let best: Connection | undefined;
    let least = this.#options.depth;
    for (const connection of this.#connections) {
      const { outstanding } = connection;
      if (outstanding < least && connection.isUsable) {
        best = connection;
        least = outstanding;
        if (outstanding === 0) break;
      }
    }
    if (least >= this.#options.growAt) this.#grow();
    return best;
  }

  #feed(connection: Connection): void {
    const { depth } = this.#options;
    while (this.#queue.length > 0 && connection.isUsable && connection.outstanding < depth) {
      const job = this.#queue.shift()!;
      if (!job.isSettled) connection.send(job);
    }
  }

  #grow(): void {
    if (this.#isClosing || this.#retryTimer !== null) return;
    if (this.#connections.length + this.#opening >= this.#options.maxConnections) return;
    // One at a time is enough for a lane that shares; a lane of depth 1 opens as many as are waiting.
    const wanted = this.#options.depth === 1 ? Math.max(1, this.#queue.length) : 1;
    if (this.#opening >= wanted) return;
    this.#connect().catch(() => {});
  }

  async #connect(): Promise<void> {
    this.#opening++;
    let greeted: Greeted;
    try {
      greeted = await greet(this.#target, this.#options.startupParameters, this.#options.connectTimeoutMs);
    } catch (error) {
      this.#opening--;
      this.#onConnectFailed(error);
      throw error;
    }
    this.#opening--;
    if (this.#awaySinceMs !== null) {
      this.#observe({ kind: "postgres.reconnected", lane: this.#options.name, attempts: this.#failures });
    }
    this.#failures = 0;
    this.#awaySinceMs = null;
    const connection = new Connection(greeted, this, this.#options);
    if (this.#isClosing) return connection.end();
    this.#connections.push(connection);
    this.#feed(connection);
    if (this.#queue.length > 0) this.#grow();
  }

  #onConnectFailed(error: unknown): void {
    this.#lastFailure = error;
    this.#failures++;
    // "Too many clients" while others of ours work: the queue waits for them.
    const isCrowded = error instanceof DatabaseError && error.sqlstate === "53300" && this.#connections.length > 0;
    if (this.#connections.length === 0) this.#awaySinceMs ??= performance.now();
    if (this.#isClosing || this.#retryTimer !== null || (isCrowded && this.#queue.length === 0)) return;
    const ceiling = Math.min(BACKOFF_MOST_MS, BACKOFF_FIRST_MS * 2 ** (this.#failures - 1));
    this.#retryTimer = setTimeout(
      () => {
        this.#retryTimer = null;
        if (this.#queue.length > 0 || this.#connections.length < this.#options.minConnections) this.#grow();
      },
      ceiling / 2 + Math.random() * (ceiling / 2),
    );
    this.#retryTimer.unref();
  }

  async #cancel(connection: Connection): Promise<void> {
    // Reserved until PostgreSQL has taken note: the signal is sent before the other side closes this socket, so whatever
    // comes next on the connection cannot be hit by it.
    connection.isReserved = true;
    try {
      const socket = await openSocket(this.#target, this.#options.connectTimeoutMs);
      await new Promise<void>((resolve) => {
        socket.on("close", () => resolve());
        socket.on("error", () => resolve());
        socket.resume();
        socket.end(cancelMessage(connection.processId, connection.secretKey));
      });
    } catch {
      // PostgreSQL is not taking connections: the statement timeout is what remains.
    }
    connection.isReserved = false;
    this.#feed(connection);
  }

  /** Four times a second: ends long waits, closes idle connections, doubts silent ones. */
  #tidy(): void {
    const nowMs = performance.now();
    const isAway = this.#connections.length === 0 && this.#awaySinceMs !== null;
    if (this.#queue.length > 0) {
      const patienceMs = isAway ? this.#options.patienceMs : this.#options.queueTimeoutMs;
      this.#queue = this.#queue.filter((job) => {
        const waitedMs = nowMs - job.submittedMs;
        if (waitedMs < patienceMs) return true;
        job.isSettled = true;
        job.reject(isAway ? sessionProblems.unavailable(this.#lastFailure) : sessionProblems.timedOut(waitedMs));
        return false;
      });
    }
    for (const connection of [...this.#connections]) {
      if (connection.silenceMs(nowMs) > this.#options.doubtAfterMs) this.#doubt(connection);
      this.#shrink(connection, nowMs);
    }
  }

  #shrink(connection: Connection, nowMs: number): void {
    if (connection.outstanding > 0 || connection.isReserved || nowMs - connection.heardMs < this.#options.idleTimeoutMs)
      return;
    if (this.#connections.length <= this.#options.minConnections) return;
    this.#connections.splice(this.#connections.indexOf(connection), 1);
    connection.end();
  }

  /**
   * A long statement and a connection that was dropped without a word look the same from here. PostgreSQL knows: asked over
   * another connection, it says whether this backend is still working. A dead one is given up, and its reads go again.
   */
  #doubt(connection: Connection): void {
    if (this.#inDoubt.has(connection)) return;
    this.#inDoubt.add(connection);
    const job = connection.head;
    const heardMs = connection.heardMs;
    void this.#isWorking(connection)
      .catch(() => false)
      .then((isWorking) => {
        const isUnchanged = connection.head === job && connection.heardMs === heardMs;
        if (!isWorking && isUnchanged) connection.destroy(new Error("The connection to PostgreSQL fell silent."));
        // Asked again only after another while: a long statement is not to be watched four times a second.
        setTimeout(() => this.#inDoubt.delete(connection), this.#options.doubtAfterMs).unref();
      });
  }

  async #isWorking(connection: Connection): Promise<boolean> {
    const greeted = await greet(this.#target, this.#options.startupParameters, this.#options.connectTimeoutMs);
    return new Promise((resolve, reject) => {
      const onEnd = (error: unknown): void => reject(error);
      const asking = new Connection(
        greeted,
        {
          onFinished: (asked, job) => {
            asked.end();
            resolve(job.error === null && job.rows.length > 0);
          },
          onRetry: (asked) => asked.destroy(new Error("The question could not be asked.")),
          onLost: (_asked, error) => onEnd(error),
        },
        this.#options,
      );
      asking.send(workingQuestion(connection.processId, onEnd));
    });
  }
}

/** Is this backend working on something? A row says yes. Our login may always look at its own backends. */
function workingQuestion(processId: number, reject: (error: unknown) => void): Job {
  const statement = {
    text: "select 1 from pg_catalog.pg_stat_activity where pid = $1::int and state = 'active'",
    values: [String(processId)],
  };
  const flight = { role: "", prologue: [], statement, lane: "slow", isRetryable: true } as const;
  return new Job(flight, performance.now(), () => {}, reject, null);
}
