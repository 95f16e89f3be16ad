import type { Prepared } from "./statements.ts";
import type { DatabaseError, Flight, FlightResult, Row } from "./types.ts";

/** Takes rows one by one instead of collecting them. */
export interface RowConsumer {
  onRow(row: Row): void;
}

/** One flight on its way: what the connection has to remember until its ReadyForQuery. */
export class Job {
  readonly flight: Flight;
  readonly resolve: (result: FlightResult) => void;
  readonly reject: (error: unknown) => void;
  readonly consumer: RowConsumer | null;
  readonly submittedMs: number;
  /** The caller has its answer, or has left: whatever still comes is dropped. */
  isSettled = false;
  /** The bytes may have reached PostgreSQL. */
  isWritten = false;
  attempts = 0;
  rows: Row[] = [];
  commandTag = "";
  error: DatabaseError | null = null;
  /** Which of the flight's statements is answering. */
  statement = 0;
  /** Statements prepared by this very flight, in the order of their Parse messages, and how many PostgreSQL confirmed. */
  parsed: Prepared[] | null = null;
  parsesConfirmed = 0;

  constructor(
    flight: Flight,
    submittedMs: number,
    resolve: (result: FlightResult) => void,
    reject: (error: unknown) => void,
    consumer: RowConsumer | null,
  ) {
    this.flight = flight;
    this.submittedMs = submittedMs;
    this.resolve = resolve;
    this.reject = reject;
    this.consumer = consumer;
  }

  /** Back to the start, for another try. */
  rewind(): void {
    this.attempts++;
    this.isWritten = false;
    this.rows = [];
    this.error = null;
    this.statement = 0;
    this.parsed = null;
    this.parsesConfirmed = 0;
  }
}
