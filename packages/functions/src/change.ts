import type { Json } from "./json.ts";
import type { Database } from "./register.ts";

/** Of a table that no types were written of. */
type AnyRow = Readonly<Record<string, Json>>;
type Tables = Database extends { public: { Tables: infer T } } ? T : Record<string, { Row: AnyRow }>;
/** `bookings`, or with its schema `public.bookings`. */
export type TableName = Extract<keyof Tables, string> | (string & {});
/** A row as PostgreSQL's JSON has it. */
export type RowOf<T extends string> = T extends keyof Tables
  ? Tables[T] extends { Row: infer R }
    ? R
    : AnyRow
  : AnyRow;

export type ChangeOperation = "insert" | "update" | "delete";
/** What `on` is asked for: one, several, or `*` for all. */
export type ChangeOperations = ChangeOperation | "*" | readonly ChangeOperation[];
type OperationIn<O extends ChangeOperations> = O extends readonly (infer One extends ChangeOperation)[]
  ? One
  : O extends ChangeOperation
    ? O
    : ChangeOperation;

interface Changed<Operation extends ChangeOperation, Row> {
  /** `<lsn>/<n>`: of this change for ever, the same at every attempt. */
  readonly id: string;
  readonly schema: string;
  readonly table: string;
  readonly operation: Operation;
  /** The row as this change has left it; of a delete, `null`. Large values that an update left as they were may be missing. */
  readonly row: Operation extends "delete" ? null : Row;
  /** What was before, as far as the table's replica identity keeps it: the key, or with `replica identity full` all of it; of an insert, `null`. */
  readonly oldRow: Operation extends "insert" ? null : Partial<Row> | null;
  /** By PostgreSQL's clock. */
  readonly committedAt: Date;
}

/** One committed change. Where several operations are asked for, `operation` tells them apart. */
export type ChangeEvent<Row = AnyRow, O extends ChangeOperations = "*"> = {
  readonly [Operation in OperationIn<O>]: Changed<Operation, Row>;
}[OperationIn<O>];

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
