import type { LogEntry, Lsn } from "../../../kernel/change.ts";

/**
 * A place in the log that may lie within a transaction: everything before `lsn` has been taken in, and of the transaction whose COMMIT
 * stands at `lsn`, so many changes and messages.
 */
export interface Cursor {
  readonly lsn: Lsn;
  readonly changes: number;
  readonly messages: number;
}

/** Between two transactions. */
export const cursorAt = (lsn: Lsn): Cursor => ({ lsn, changes: 0, messages: 0 });

export const isSameCursor = (a: Cursor, b: Cursor): boolean =>
  a.lsn === b.lsn && a.changes === b.changes && a.messages === b.messages;

/** An entry, and the cursor of whoever has taken it in. */
export interface Placed {
  readonly entry: LogEntry;
  /** Messages of its transaction that stand before it. */
  readonly messagesBefore: number;
  readonly next: Cursor;
  readonly sizeBytes: number;
}

/** Numbers what stands in one transaction, which has one place in the log. To be given whole transactions only, from their beginning. */
export class Placing {
  #within: Cursor = cursorAt(-1n);

  place(entry: LogEntry, sizeBytes: number): Placed {
    if (entry.lsn !== this.#within.lsn) this.#within = cursorAt(entry.lsn);
    const { changes, messages } = this.#within;
    const isEnd = entry.kind === "batch" ? entry.isLast : entry.endLsn !== entry.lsn;
    this.#within =
      entry.kind === "batch"
        ? { lsn: entry.lsn, changes: entry.first + entry.changes.length, messages }
        : { lsn: entry.lsn, changes, messages: messages + 1 };
    return { entry, messagesBefore: messages, next: isEnd ? cursorAt(entry.endLsn) : this.#within, sizeBytes };
  }

  /** The log goes on somewhere else. */
  reset(): void {
    this.#within = cursorAt(-1n);
  }
}

/** What of it comes after the cursor; `null`: nothing. A last batch stays, even without changes: it ends its transaction. */
export function restAfter(cursor: Cursor, placed: Placed): Placed | null {
  const { entry } = placed;
  if (entry.lsn < cursor.lsn) return null;
  if (entry.lsn > cursor.lsn) return placed;
  if (entry.kind === "message") return placed.messagesBefore < cursor.messages ? null : placed;
  const skip = cursor.changes - entry.first;
  if (skip <= 0) return placed;
  if (skip >= entry.changes.length && !entry.isLast) return null;
  return { ...placed, entry: { ...entry, first: cursor.changes, changes: entry.changes.slice(skip) } };
}
