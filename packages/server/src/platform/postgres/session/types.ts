/** A parameter as text or bytes in PostgreSQL's text format; `null` is SQL NULL. Numbers and objects are the caller's to write out. */
export type Param = string | Buffer | null;

/**
 * One SQL statement. `text` is a shape: it must come from a grammar and the catalogue, never from a request (threat B01);
 * whatever varies is in `values`. Equal text is prepared once per connection and role.
 */
export interface Statement {
  readonly text: string;
  readonly values: readonly Param[];
}

/**
 * What may share a connection with what.
 * - `read`: short and read-only; many requests are in flight on one connection.
 * - `write`: waits for fsync, so it wants connections rather than depth.
 * - `slow`: unbounded or unknown (functions, exact counts, large results): one at a time on its connection, and cancelled
 *   when the caller leaves.
 */
export type Lane = "read" | "write" | "slow";

/**
 * One round trip and one transaction: everything is written at once, with one Sync at its end. `prologue` sets the
 * role and the request context; `statement` is the work, and its rows are the answer. An error anywhere in it undoes all of it and
 * touches no other flight.
 */
export interface Flight {
  /** Database role the statement will run under: part of the prepared statement's identity (CVE-2023-2455, threat B05). */
  readonly role: string;
  readonly prologue: readonly Statement[];
  readonly statement: Statement;
  readonly lane: Lane;
  /** True when running it twice is harmless (read-only): then a lost connection is answered by trying once more. */
  readonly isRetryable: boolean;
  /** Undo everything at the end; the rows are still the answer (`Prefer: tx=rollback`). */
  readonly isRolledBack?: boolean;
  /** The caller's patience. Aborting it before the flight is written drops it; afterwards it cancels where that is safe. */
  readonly signal?: AbortSignal | undefined;
}

/** A row in PostgreSQL's text format. The buffers are views of what the socket gave: read or copy them before the next tick, or keep them and keep their chunk alive. */
export type Row = readonly (Buffer | null)[];

export interface FlightResult {
  readonly rows: readonly Row[];
  /** `INSERT 0 3`, `SELECT 1`. */
  readonly commandTag: string;
}

/** Rows as they come, with back-pressure to the socket. Leaving the loop early cancels the statement. */
export type RowStream = AsyncIterable<Row>;

export interface SessionStats {
  readonly connections: number;
  readonly inFlight: number;
  readonly queued: number;
}

/** Our own pipelined client: the only way of the hot path to PostgreSQL. */
export interface Session {
  /** Settings every connection starts with: a flight that wants just these need not set them. Lower-case names. */
  readonly defaults: ReadonlyMap<string, string>;
  /** Resolves with the statement's rows. Rejects with a DatabaseError, or a Problem when PostgreSQL is away or we are too busy. */
  fly(flight: Flight): Promise<FlightResult>;
  /**
   * Runs the flight on a connection of its own and yields rows as they arrive; memory is bounded by the socket buffers.
   * The promise resolves when the first row (or the end) is there, so that an error still becomes a status line.
   */
  stream(flight: Flight): Promise<RowStream>;
  stats(): SessionStats;
  /** Waits for what is in flight, then closes. */
  close(signal?: AbortSignal): Promise<void>;
}

/** What PostgreSQL said, field by field. https://www.postgresql.org/docs/current/protocol-error-fields.html */
export class DatabaseError extends Error {
  override readonly name = "DatabaseError";
  readonly sqlstate: string;
  readonly severity: string;
  readonly detail: string | null;
  readonly hint: string | null;
  readonly schema: string | null;
  readonly table: string | null;
  readonly column: string | null;
  readonly constraint: string | null;

  constructor(fields: {
    readonly sqlstate: string;
    readonly severity: string;
    readonly message: string;
    readonly detail?: string | null;
    readonly hint?: string | null;
    readonly schema?: string | null;
    readonly table?: string | null;
    readonly column?: string | null;
    readonly constraint?: string | null;
  }) {
    super(fields.message);
    this.sqlstate = fields.sqlstate;
    this.severity = fields.severity;
    this.detail = fields.detail ?? null;
    this.hint = fields.hint ?? null;
    this.schema = fields.schema ?? null;
    this.table = fields.table ?? null;
    this.column = fields.column ?? null;
    this.constraint = fields.constraint ?? null;
  }
}
