import type { LogEntry, Lsn } from "../../kernel/change.ts";
import type { Queryable } from "../postgres/database.ts";

/** Why a reader does not know any more what has happened. */
export type GapReason =
  /** What it had not read yet is no longer kept: it was too slow, or away too long. */
  | "retention"
  /** PostgreSQL has given up the slot (`max_slot_wal_keep_size`), or the database is another one. */
  | "slot-lost";

/**
 * Follows the log for as long as the process lives, with no memory of its own: sockets, caches. Told of every entry once, in the
 * order of commits, one at a time: a promise holds back this reader and nobody else. A lost connection or a restart of PostgreSQL
 * is not seen: the log goes on where it was.
 */
export interface LiveReader {
  readonly name: string;
  onEntry(entry: LogEntry): Promise<void> | void;
  /** Something is missing before the next entry: whatever was derived from the log must be built anew. */
  onGap(reason: GapReason): void;
}

export interface Following {
  /** Everything before it has been taken in by this reader. */
  position(): Lsn;
  stop(): void;
}

/**
 * Follows the log with a memory in the database: `onEntry` gets the transaction in which its cursor is moved, so that effects made
 * in it happen exactly once. Only one node at a time reads for a name. Entries not published to it do not come.
 */
export interface DurableReader {
  /** Its identity in the database, for ever: `webhooks`. */
  readonly name: string;
  /** Takes entries in together; all or nothing of them. Throwing makes them come again, later. */
  onEntries(entries: readonly LogEntry[], tx: Queryable): Promise<void>;
  /** Something is missing before the next entry. */
  onGap(reason: GapReason, tx: Queryable): Promise<void>;
}

export type LogState =
  /** Nobody has asked for it yet. */
  | "idle"
  | "connecting"
  | "following"
  /** This database cannot be followed (`wal_level`, a missing privilege): see `problem`. */
  | "unavailable";

export interface LogStats {
  readonly state: LogState;
  /** Why it is unavailable, for people. */
  readonly problem: string | null;
  /** Bytes of log that this node has not read yet, as of the last word of PostgreSQL. */
  readonly lagBytes: number;
  /** Bytes of write-ahead log that PostgreSQL keeps for our slots. */
  readonly retainedBytes: number;
  /** What is kept in memory for readers and for clients that come back. */
  readonly ring: { readonly bytes: number; readonly entries: number; readonly oldest: Lsn | null };
  /** Durable readers, on the node that reads for them; elsewhere none. */
  readonly readers: readonly ReaderLag[];
}

/** How far a durable reader is behind. */
export interface ReaderLag {
  readonly name: string;
  /** Bytes of log that have been written and that it has not taken in, as of the last word of PostgreSQL. */
  readonly lagBytes: number;
  /** What it was given last it has not taken: it is tried again and again. */
  readonly isFailing: boolean;
}

export interface EmitOptions {
  /** Wait until it is on disk, and so on its way to other nodes at once; otherwise within some 200 ms, or with the next commit. */
  readonly isUrgent?: boolean;
}

/** The log of this database, as this node sees it. Opened with the first reader, so that it costs nothing until then. */
export interface ChangeLog {
  /**
   * Begins to read. Without `from`: with what commits after the promise has resolved; with it: with the first entry after that place,
   * or a gap. Rejects with a Problem `changes/unavailable` when this database cannot be followed.
   */
  follow(reader: LiveReader, from?: Lsn): Promise<Following>;
  /** Begins to read for it, now or when this node is the one that reads; for ever. A name that is new begins with what commits then. */
  followDurably(reader: DurableReader): void;
  /** Everything before it has been decoded by this node. 0 before the log is open. */
  position(): Lsn;
  /** Entries after `from` up to `to` that are still kept, in order; `null` when some of them are not kept any more. */
  between(from: Lsn, to: Lsn): Iterable<LogEntry> | null;
  /**
   * Writes a message into the log, outside any transaction. Messages given together travel together. Prefixes that begin with `mainstay.`
   * are the server's: such messages come only from where the server's key is.
   */
  emit(prefix: string, content: Buffer, options?: EmitOptions): Promise<void>;
  /**
   * Told when the log of rows has come to a change of the schema, before any entry that was made under it. `xid`: the transaction that
   * made it, which may be a moment from being visible to others; `null` when it is not known. @returns how to stop
   */
  onSchemaChange(listener: (xid: number | null) => Promise<void> | void): () => void;
  stats(): LogStats;
  close(): Promise<void>;
}
