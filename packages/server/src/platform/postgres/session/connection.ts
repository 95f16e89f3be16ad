import type { Socket } from "node:net";
import type { Greeted } from "./handshake.ts";
import type { Job } from "./job.ts";
import { MessageReader, readError, readRow, readText } from "./reader.ts";
import { type Prepared, StatementCache } from "./statements.ts";
import type { DatabaseError, Statement } from "./types.ts";
import { terminateMessage, WireWriter } from "./wire.ts";

export interface ConnectionOptions {
  readonly statementCacheSize: number;
  /** False behind a pooler in transaction mode: every flight then parses anew, without a name. */
  readonly preparesStatements: boolean;
}

/**
 * With more flights than this in PostgreSQL's hands, new ones wait here and leave together: it works in order, so they lose nothing,
 * while each write of its own costs a system call on both sides and wakes a process that is busy anyway. Measured at
 * 32 callers: 27 % of our time was writing single flights.
 */
const KEEP_BUSY = 2;

/** Whoever owns the connection learns when something ends. */
export interface ConnectionOwner {
  /** A flight is over; there may be room for another. `serviceMs` is how long it was at the head of the connection. */
  onFinished(connection: Connection, job: Job, serviceMs: number): void;
  /** The flight found a prepared statement gone; nothing of it was executed. */
  onRetry(connection: Connection, job: Job): void;
  /** The connection is no more. `unfinished` is in order; whether the first was executed is unknown if it was written. */
  onLost(connection: Connection, error: unknown, unfinished: readonly Job[]): void;
}

/**
 * One connection to PostgreSQL with any number of flights on it, in order. Everything that a turn of the event loop hands over
 * leaves in one write; each flight ends with its own Sync, so an error skips no further than to the end of its flight.
 * Between two Syncs lies one implicit transaction: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
 */
export class Connection {
  readonly processId: number;
  readonly secretKey: Buffer;
  readonly #socket: Socket;
  readonly #owner: ConnectionOwner;
  readonly #options: ConnectionOptions;
  readonly #statements: StatementCache;
  readonly #writer = new WireWriter();
  #jobs: Job[] = [];
  #head = 0;
  /** Flights that PostgreSQL has and has not answered. */
  #written = 0;
  #isFlushScheduled = false;
  #isLost = false;
  #headSinceMs = 0;
  #heardMs = performance.now();
  readonly #flush = (): void => this.#send();
  /** No new work: a cancel is on its way, or the connection is being closed. */
  isReserved = false;

  constructor(greeted: Greeted, owner: ConnectionOwner, options: ConnectionOptions) {
    this.processId = greeted.processId;
    this.secretKey = greeted.secretKey;
    this.#socket = greeted.socket;
    this.#owner = owner;
    this.#options = options;
    this.#statements = new StatementCache(options.statementCacheSize);
    const reader = new MessageReader((type, buffer, start, end) => this.#onMessage(type, buffer, start, end));
    this.#socket.on("data", (chunk: Buffer) => {
      this.#heardMs = performance.now();
      try {
        reader.push(chunk);
      } catch (error) {
        this.destroy(error);
      }
    });
    this.#socket.on("error", (error) => this.#lose(error));
    this.#socket.on("close", () => this.#lose(new Error("PostgreSQL closed the connection.")));
  }

  get outstanding(): number {
    return this.#jobs.length - this.#head;
  }

  get isUsable(): boolean {
    return !this.#isLost && !this.isReserved;
  }

  /** How long the flight at the head has been there without a byte from PostgreSQL, or since its last byte. 0 when idle. */
  silenceMs(nowMs: number): number {
    return this.outstanding === 0 ? 0 : nowMs - Math.max(this.#headSinceMs, this.#heardMs);
  }

  /** When the last byte came, by `performance.now()`. */
  get heardMs(): number {
    return this.#heardMs;
  }

  get head(): Job | undefined {
    return this.#jobs[this.#head];
  }

  send(job: Job): void {
    if (this.outstanding === 0) this.#headSinceMs = performance.now();
    const { flight } = job;
    for (const statement of flight.prologue) this.#write(job, statement, flight.role);
    this.#write(job, flight.statement, flight.role);
    if (flight.isRolledBack) for (const statement of undoing) this.#write(job, statement, "");
    this.#writer.sync();
    this.#jobs.push(job);
    if (this.#written <= KEEP_BUSY) this.#schedule();
  }

  /** After the poll phase: every request that arrived in this turn shares the write, and none waits for a timer. */
  #schedule(): void {
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    setImmediate(this.#flush);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Ends politely once idle. */
  end(): void {
    this.isReserved = true;
    this.#isLost = true;
    this.#socket.end(terminateMessage);
  }

  destroy(error: unknown): void {
    this.#lose(error);
  }

  #write(job: Job, statement: Statement, role: string): void {
    const writer = this.#writer;
    if (!this.#options.preparesStatements) {
      writer.parse("", statement.text);
      writer.bind("", statement.values);
      writer.execute();
      return;
    }
    let prepared = this.#statements.find(statement.text, role);
    if (prepared === undefined) {
      prepared = this.#statements.add(statement.text, role);
      writer.parse(prepared.name, statement.text);
      job.parsed ??= [];
      job.parsed.push(prepared);
    }
    writer.bind(prepared.name, statement.values);
    writer.execute();
  }

  #send(): void {
    this.#isFlushScheduled = false;
    if (this.#isLost || this.#writer.length === 0) return;
    for (let i = this.#jobs.length - 1; i >= this.#head && !this.#jobs[i]!.isWritten; i--) {
      this.#jobs[i]!.isWritten = true;
      this.#written++;
    }
    this.#socket.write(this.#writer.bytes());
    // Zero means that the kernel took it all, synchronously; otherwise the memory is still being read from.
    if (this.#socket.writableLength === 0) this.#writer.reuse();
    else this.#writer.replace();
  }

  #onMessage(type: number, buffer: Buffer, start: number, end: number): void {
    const job = this.#jobs[this.#head];
    if (job === undefined) return this.#onUnsolicited(type, buffer, start, end);
    switch (type) {
      case 0x44: // D: a row; those of the prologue are of no interest
        if (job.statement !== job.flight.prologue.length || job.isSettled) return;
        if (job.consumer === null) job.rows.push(readRow(buffer, start));
        else job.consumer.onRow(readRow(buffer, start));
        return;
      case 0x43: // C: command complete
        if (job.statement === job.flight.prologue.length) job.commandTag = readText(buffer, start);
        job.statement++;
        return;
      case 0x49: // I: empty query
        job.statement++;
        return;
      case 0x31: // 1: parse complete
        job.parsesConfirmed++;
        return;
      case 0x45: // E
        job.error ??= readError(buffer, start, end);
        return;
      case 0x5a: // Z: ready for query
        return this.#finish(job);
      case 0x32: // 2: bind complete
      case 0x33: // 3: close complete
      case 0x4e: // N: notice
      case 0x53: // S: parameter status
      case 0x41: // A: notification
      case 0x73: // s: portal suspended
        return;
      default:
        // COPY would turn the conversation around; nothing that the grammar can produce asks for it.
        this.destroy(new Error(`PostgreSQL sent an unexpected message (${String.fromCharCode(type)}).`));
    }
  }

  /** Between flights PostgreSQL may still say something: a parameter changed, or that it is going away. */
  #onUnsolicited(type: number, buffer: Buffer, start: number, end: number): void {
    if (type === 0x45) this.destroy(readError(buffer, start, end));
  }

  #finish(job: Job): void {
    const nowMs = performance.now();
    const serviceMs = nowMs - this.#headSinceMs;
    this.#headSinceMs = nowMs;
    this.#head++;
    this.#written--;
    if (this.#written <= KEEP_BUSY && this.#writer.length > 0) this.#schedule();
    if (this.#head === this.#jobs.length) {
      this.#jobs.length = 0;
      this.#head = 0;
    } else if (this.#head > 256) {
      this.#jobs = this.#jobs.slice(this.#head);
      this.#head = 0;
    }
    if (job.parsed !== null) this.#confirm(job, job.parsed);
    if (job.error !== null && this.#isStale(job, job.error)) {
      this.#owner.onRetry(this, job);
      return;
    }
    this.#owner.onFinished(this, job, serviceMs);
  }

  /** Whatever Parse was skipped because of an error before it does not exist on the server. */
  #confirm(job: Job, parsed: readonly Prepared[]): void {
    for (let i = job.parsesConfirmed; i < parsed.length; i++) this.#statements.remove(parsed[i]!);
    for (let evicted = this.#statements.evict(); evicted !== null; evicted = this.#statements.evict()) {
      // Rides in front of the next flight, where no error can skip it.
      this.#writer.closeStatement(evicted.name);
    }
  }

  /**
   * A flight that relied on a statement another flight failed to prepare, or whose result changed its type under DDL.
   * Nothing of it was executed (its implicit transaction was undone), so it may simply go again.
   */
  #isStale(job: Job, error: DatabaseError): boolean {
    if (!this.#options.preparesStatements || job.attempts > 2) return false;
    if (error.sqlstate === "26000") {
      this.#forget(job);
      return true;
    }
    if (error.sqlstate === "0A000" && error.message.includes("cached plan must not change result type")) {
      this.#forget(job);
      return true;
    }
    return false;
  }

  #forget(job: Job): void {
    const { flight } = job;
    for (const { text } of [...flight.prologue, flight.statement]) {
      const prepared = this.#statements.find(text, flight.role);
      if (prepared === undefined) continue;
      this.#statements.remove(prepared);
      this.#writer.closeStatement(prepared.name);
    }
  }

  #lose(error: unknown): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#socket.on("error", () => {});
    this.#socket.destroy();
    const unfinished = this.#jobs.slice(this.#head);
    this.#jobs = [];
    this.#head = 0;
    const dying = unfinished[0]?.error ?? null;
    this.#owner.onLost(this, dying?.severity === "FATAL" ? dying : error, unfinished);
  }
}

/** First whatever a commit would check: what is undone should be told the same. */
const undoing: readonly Statement[] = [
  { text: "set constraints all immediate", values: [] },
  { text: "rollback", values: [] },
];
