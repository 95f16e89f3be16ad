import type { Database } from "./register.ts";

type Tables = Database extends { public: { Tables: infer T } } ? T : Record<string, { Row: Record<string, unknown> }>;
/** `bookings`, or with its schema `public.bookings`. */
export type TableName = Extract<keyof Tables, string> | (string & {});
export type RowOf<T extends string> = T extends keyof Tables
  ? Tables[T] extends { Row: infer R }
    ? R
    : Record<string, unknown>
  : Record<string, unknown>;

export type ChangeOperation = "insert" | "update" | "delete";

/** One committed change. */
export interface ChangeEvent<Row = Record<string, unknown>> {
  /** `<lsn>/<n>`: of this change for ever, the same at every attempt. */
  readonly id: string;
  readonly schema: string;
  readonly table: string;
  readonly operation: ChangeOperation;
  /** The row as it is after the change; of a delete, `null`. */
  readonly row: Row;
  /** What was before, as far as the table's replica identity keeps it: the key, or with `replica identity full` all of it. */
  readonly oldRow: Partial<Row> | null;
  /** By PostgreSQL's clock. */
  readonly committedAt: Date;
}

export interface OnOptions {
  /** Stays the same when the file moves: under it is remembered how far the handler has come. `<file>/<table>/<operations>` when left out. */
  readonly name?: string;
  /** Only rows that fit, in the words of the REST API: `status=eq.confirmed`, several joined by `&`. */
  readonly filter?: string;
  /** Of updates, only those that change one of these columns; needs their old values (`replica identity full`). */
  readonly columns?: readonly string[];
  /** Attempts in all; 10 when left out. */
  readonly maxAttempts?: number;
  /** Longest run in ms. */
  readonly timeoutMs?: number;
  /** Which changes wait for each other: those of one row, the default; all of the handler; none. */
  readonly order?: "row" | "handler" | "none";
}
