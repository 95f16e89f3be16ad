/**
 * What the log says has happened. The log is PostgreSQL's own, decoded by `pgoutput`
 * (https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html); everything here is immutable and shared by all
 * readers (threat R02).
 */

/** A place in the write-ahead log, in bytes from its beginning. Orders everything that has happened (threat R15). */
export type Lsn = bigint;

/** How PostgreSQL tells which row an UPDATE or DELETE was about. */
export type ReplicaIdentity = "default" | "nothing" | "full" | "index";

export interface ChangedColumn {
  readonly name: string;
  readonly typeOid: number;
  /** `pg_type.typname`: `int8`, `text`, `_text`, `timestamptz`, an enum's or domain's own name. */
  readonly typeName: string;
  /** Part of the replica identity: there in the old image of every UPDATE that changes it and of every DELETE. */
  readonly isKey: boolean;
  /** How a value becomes JSON, where the catalogue said so; otherwise by `typeName`, as for PostgreSQL's own types. */
  readonly shape?: JsonShape;
}

/** What `to_jsonb` makes of a type's text: domains are their base type, `number` is a string where JSON has no such number. */
export type JsonShape =
  | { readonly kind: "string" | "number" | "boolean" | "json" | "timestamp" }
  | { readonly kind: "array"; readonly element: JsonShape; readonly delimiter: string }
  /** `int2vector`, `oidvector`: an array printed without braces. */
  | { readonly kind: "vector"; readonly element: JsonShape }
  | { readonly kind: "composite"; readonly fields: readonly { readonly name: string; readonly shape: JsonShape }[] };

/**
 * A table as it was when the change was made. One object for as long as its shape stays: readers may key caches by it. Partitions appear
 * as what the publication publishes them as.
 */
export interface ChangedRelation {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly replicaIdentity: ReplicaIdentity;
  /** Those that are published, in their order. Generated columns are not among them. */
  readonly columns: readonly ChangedColumn[];
  /** Where a column is in `columns` and in every image; -1 when it is not published. */
  indexOf(column: string): number;
}

/**
 * A row's values in PostgreSQL's text format, by the relation's columns. `null` is SQL NULL; `undefined` is not in the log: a large value
 * that the change left as it was, or in an old image a column outside the key.
 */
export type RowImage = readonly (string | null | undefined)[];

export type Change =
  | { readonly op: "insert"; readonly relation: ChangedRelation; readonly new: RowImage; readonly old: null }
  /** `old` is there when the key has changed, or when the replica identity is full. */
  | { readonly op: "update"; readonly relation: ChangedRelation; readonly new: RowImage; readonly old: RowImage | null }
  | { readonly op: "delete"; readonly relation: ChangedRelation; readonly new: null; readonly old: RowImage }
  | { readonly op: "truncate"; readonly relation: ChangedRelation; readonly new: null; readonly old: null };

/**
 * The changes of one transaction that has committed, or a part of them: a large one comes in several batches, with nothing of another
 * between them.
 */
export interface Batch {
  readonly kind: "batch";
  /** Where its COMMIT stands. With the number of a change, that change's identity for ever. */
  readonly lsn: Lsn;
  /**
   * Where the log goes on after it: the cursor of whoever has taken in all of it. Of a part that is not the last, the transaction's own
   * place: whoever goes on from there gets it whole again.
   */
  readonly endLsn: Lsn;
  readonly xid: number;
  /** Unix microseconds, by PostgreSQL's clock. */
  readonly committedAtUs: bigint;
  /** Number of the first change within its transaction, from 0. */
  readonly first: number;
  readonly changes: readonly Change[];
  readonly isLast: boolean;
}

/** What somebody has written into the log beside rows (`pg_logical_emit_message`). */
export interface LogMessage {
  readonly kind: "message";
  /** Of one that belongs to a transaction, where that one's COMMIT stands. */
  readonly lsn: Lsn;
  /** The cursor of whoever has taken it in. */
  readonly endLsn: Lsn;
  readonly prefix: string;
  readonly content: Buffer;
}

export type LogEntry = Batch | LogMessage;
