import type { Lsn, ReplicaIdentity } from "../../kernel/change.ts";

/**
 * What `pgoutput` says, version 1 with messages.
 * https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
 */
export type PgoutputMessage =
  | { readonly tag: "begin"; readonly finalLsn: Lsn; readonly committedAtUs: bigint; readonly xid: number }
  | { readonly tag: "commit"; readonly lsn: Lsn; readonly endLsn: Lsn; readonly committedAtUs: bigint }
  | { readonly tag: "relation"; readonly relation: RelationMessage }
  | { readonly tag: "type"; readonly oid: number; readonly schema: string; readonly name: string }
  | { readonly tag: "insert"; readonly oid: number; readonly new: TupleMessage }
  | { readonly tag: "update"; readonly oid: number; readonly old: OldTuple | null; readonly new: TupleMessage }
  | { readonly tag: "delete"; readonly oid: number; readonly old: OldTuple }
  | { readonly tag: "truncate"; readonly oids: readonly number[] }
  | {
      readonly tag: "message";
      readonly isTransactional: boolean;
      readonly lsn: Lsn;
      readonly prefix: string;
      readonly content: Buffer;
    }
  /** Where a transaction came from that was replicated here itself. */
  | { readonly tag: "origin"; readonly name: string };

export interface RelationMessage {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly replicaIdentity: ReplicaIdentity;
  readonly columns: readonly { readonly name: string; readonly typeOid: number; readonly isKey: boolean }[];
}

/** `null` is NULL, `undefined` a large value that was left as it was. */
export type TupleMessage = (string | null | undefined)[];

/** `isWhole` when it is of all columns and not of the key only. */
export interface OldTuple {
  readonly isWhole: boolean;
  readonly values: TupleMessage;
}

/** What came is not what pgoutput sends. Nothing after it can be trusted: the connection has to be made anew. */
export class PgoutputError extends Error {
  override readonly name = "PgoutputError";
}

const identities: Readonly<Record<string, ReplicaIdentity>> = { d: "default", n: "nothing", f: "full", i: "index" };
/** 2000-01-01T00:00:00Z, where PostgreSQL's time begins, in Unix microseconds. */
const epochUs = 946_684_800_000_000n;

/** Reads one message. Everything in the answer is a copy: the bytes may be used again. @throws PgoutputError */
export function readMessage(bytes: Buffer, from = 0): PgoutputMessage {
  const reader = new ByteReader(bytes, from);
  const message = read(reader);
  reader.end();
  return message;
}

function read(reader: ByteReader): PgoutputMessage {
  const tag = reader.char();
  switch (tag) {
    case "B":
      return { tag: "begin", finalLsn: reader.uint64(), committedAtUs: reader.time(), xid: reader.uint32() };
    case "C":
      reader.byte();
      return { tag: "commit", lsn: reader.uint64(), endLsn: reader.uint64(), committedAtUs: reader.time() };
    case "O":
      reader.uint64();
      return { tag: "origin", name: reader.string() };
    case "R":
      return { tag: "relation", relation: readRelation(reader) };
    case "Y":
      return { tag: "type", oid: reader.uint32(), schema: reader.string(), name: reader.string() };
    case "I":
      return { tag: "insert", oid: reader.uint32(), new: readNew(reader, reader.char()) };
    case "U": {
      const oid = reader.uint32();
      const first = reader.char();
      if (first === "N") return { tag: "update", oid, old: null, new: readNew(reader, first) };
      const old = readOld(reader, first);
      return { tag: "update", oid, old, new: readNew(reader, reader.char()) };
    }
    case "D":
      return { tag: "delete", oid: reader.uint32(), old: readOld(reader, reader.char()) };
    case "T": {
      const count = reader.count(4);
      reader.byte();
      return { tag: "truncate", oids: Array.from({ length: count }, () => reader.uint32()) };
    }
    case "M": {
      const isTransactional = (reader.byte() & 1) === 1;
      const lsn = reader.uint64();
      const prefix = reader.string();
      return { tag: "message", isTransactional, lsn, prefix, content: Buffer.from(reader.bytes(reader.length())) };
    }
    default:
      throw new PgoutputError(`No message begins with ${JSON.stringify(tag)}.`);
  }
}

function readRelation(reader: ByteReader): RelationMessage {
  const oid = reader.uint32();
  // The empty name stands for pg_catalog.
  const schema = reader.string() || "pg_catalog";
  const name = reader.string();
  const replicaIdentity = identities[reader.char()];
  if (replicaIdentity === undefined) throw new PgoutputError("A relation has no replica identity that is known.");
  const columns = Array.from({ length: reader.columns() }, () => {
    const isKey = (reader.byte() & 1) === 1;
    const column = { name: reader.string(), typeOid: reader.uint32(), isKey };
    reader.uint32();
    return column;
  });
  return { oid, schema, name, replicaIdentity, columns };
}

function readNew(reader: ByteReader, kind: string): TupleMessage {
  if (kind !== "N") throw new PgoutputError(`A new row is marked N, not ${JSON.stringify(kind)}.`);
  return readTuple(reader);
}

function readOld(reader: ByteReader, kind: string): OldTuple {
  if (kind !== "O" && kind !== "K")
    throw new PgoutputError(`An old row is marked O or K, not ${JSON.stringify(kind)}.`);
  return { isWhole: kind === "O", values: readTuple(reader) };
}

function readTuple(reader: ByteReader): TupleMessage {
  const count = reader.columns();
  const values: TupleMessage = new Array(count);
  for (let at = 0; at < count; at++) {
    const kind = reader.char();
    if (kind === "t") values[at] = reader.text(reader.length());
    else if (kind === "n") values[at] = null;
    else if (kind !== "u") throw new PgoutputError(`A value is marked t, n or u, not ${JSON.stringify(kind)}.`);
  }
  return values;
}

/** Reads big-endian values one after the other, and never past the end. */
class ByteReader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, from: number) {
    this.#bytes = bytes;
    this.#at = from;
  }

  byte(): number {
    return this.#bytes[this.#take(1)]!;
  }

  char(): string {
    return String.fromCharCode(this.byte());
  }

  uint32(): number {
    return this.#bytes.readUInt32BE(this.#take(4));
  }

  uint64(): bigint {
    return this.#bytes.readBigUInt64BE(this.#take(8));
  }

  /** Unix microseconds. */
  time(): bigint {
    return this.#bytes.readBigInt64BE(this.#take(8)) + epochUs;
  }

  /** Of what follows, in bytes. */
  length(): number {
    const length = this.#bytes.readInt32BE(this.#take(4));
    if (length < 0) throw new PgoutputError("A length is negative.");
    return length;
  }

  /** Of columns: each takes a byte at least, so that no number makes us keep room for more than there is. */
  columns(): number {
    const count = this.#bytes.readInt16BE(this.#take(2));
    if (count < 0 || count > this.#left) throw new PgoutputError("A number of columns cannot be.");
    return count;
  }

  /** Of things of `sizeBytes` each. */
  count(sizeBytes: number): number {
    const count = this.length();
    if (count * sizeBytes > this.#left) throw new PgoutputError("A number of things cannot be.");
    return count;
  }

  /** Up to a NUL. */
  string(): string {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0) throw new PgoutputError("A name does not end.");
    const value = this.#bytes.toString("utf8", this.#at, end);
    this.#at = end + 1;
    return value;
  }

  text(length: number): string {
    const from = this.#take(length);
    return this.#bytes.toString("utf8", from, from + length);
  }

  bytes(length: number): Buffer {
    const from = this.#take(length);
    return this.#bytes.subarray(from, from + length);
  }

  end(): void {
    if (this.#left !== 0) throw new PgoutputError(`${this.#left} bytes follow a message's end.`);
  }

  get #left(): number {
    return this.#bytes.length - this.#at;
  }

  #take(length: number): number {
    if (length > this.#left) throw new PgoutputError("A message ends too early.");
    const from = this.#at;
    this.#at += length;
    return from;
  }
}
