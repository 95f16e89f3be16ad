import type { ChangeOperation, OnOptions } from "@mainstay/functions";
import type { Lsn } from "../../../kernel/change.ts";

/** What a function wants to be told of. */
export interface ChangeHandler {
  /** Its identity in the database, for ever. */
  readonly name: string;
  readonly schema: string;
  readonly table: string;
  readonly operations: readonly ChangeOperation[];
  /** As it was written; empty: every row. */
  readonly filter: string;
  /** Of updates, only those that change one of these; `null`: all. */
  readonly columns: readonly string[] | null;
  readonly order: NonNullable<OnOptions["order"]>;
  /** `null`: as jobs have by themselves. */
  readonly maxAttempts: number | null;
}

/** A handler as the database has it, of whatever node. */
export interface StoredHandler extends ChangeHandler {
  /** What was committed before it is not for this handler. */
  readonly since: Lsn;
}

/** Why a change could not be told of. */
export type MissedReason =
  /** The log was not kept that far, or is another one. */
  | "retention"
  | "slot-lost"
  /** The filter cannot be decided. */
  | "filter"
  /** A large value that the filter asks for, and the log does not have, has been overwritten since. */
  | "value"
  /** The table must not be in the log as it is now. */
  | "unpublished";

/** Changes that some handlers could not be told of. */
export interface Missed {
  readonly handlers: readonly string[];
  readonly reason: MissedReason;
  readonly detail: string | null;
  /** Those before it in the log are meant; `null`: until now. */
  readonly upTo: Lsn | null;
}

/** Jobs that run a handler have its name behind this. */
export const changeJobs = "mainstay.change/";

/** The log's reader, for ever. */
export const readerName = "functions";
