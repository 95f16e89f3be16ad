import type { Change, ChangedRelation, LogEntry, Lsn } from "../../kernel/change.ts";
import { changeOf, type RowMessage } from "./change-of.ts";
import type { ColumnTypes } from "./column-types.ts";
import { laterOf } from "./lsn.ts";
import { PgoutputError, type PgoutputMessage } from "./pgoutput.ts";
import type { Relations } from "./relations.ts";

/** Written by the event triggers of migration 0014. Not passed on: whoever wants to know listens to schema changes. */
export const schemaChangePrefix = "mainstay.ddl";

export type OpenMessage = (prefix: string, content: Buffer) => Buffer | null;

export interface TransactionsNeeds {
  readonly relations: Relations;
  readonly types: ColumnTypes;
  /** Beyond either, what there is of a transaction is passed on as a batch. */
  readonly batch: { readonly changes: number; readonly bytes: number };
  /** Takes an entry. `isFirst`: nothing of its transaction came before. Until its promise settles, nothing else comes. */
  readonly onEntry: (entry: LogEntry, sizeBytes: number, isFirst: boolean) => void | Promise<void>;
  /** Before any entry made under another schema. */
  readonly onSchemaChange: (xid: number) => void | Promise<void>;
  /** What a message is to be passed on as; `null`: not at all. */
  readonly openMessage: OpenMessage;
}

interface Open {
  readonly lsn: Lsn;
  readonly xid: number;
  readonly committedAtUs: bigint;
  changes: Change[];
  sizeBytes: number;
  /** Number of the first of `changes`. */
  first: number;
  /** Kept back until it is known whether it is the last. */
  message: { readonly prefix: string; readonly content: Buffer } | null;
  /** Entries passed on already. */
  entries: number;
  messages: number;
}

/**
 * Makes entries of what the decoder reads. Whatever is not passed on yet can come again: after a new connection the log begins
 * at `position`, and of a transaction that was cut in the middle only the rest is passed on.
 */
export class Transactions {
  readonly #needs: TransactionsNeeds;
  #position: Lsn = 0n;
  #open: Open | null = null;
  /** Of a transaction that a lost connection cut: what has been passed on of it. */
  #taken: { readonly lsn: Lsn; readonly changes: number; readonly messages: number } | null = null;
  #skip = { changes: 0, messages: 0 };
  #isSchemaChanged = false;
  /** False where nobody writes schema changes into the log: then a table that is announced again tells of one. */
  announcesSchema = true;

  constructor(needs: TransactionsNeeds) {
    this.#needs = needs;
  }

  /** Everything before it has been passed on, and nothing after it, but perhaps the beginning of one transaction. */
  get position(): Lsn {
    return this.#position;
  }

  /** In the middle of a transaction. */
  get isOpen(): boolean {
    return this.#open !== null;
  }

  /** Where the transaction that is being read has committed; `null` between two. */
  get openLsn(): Lsn | null {
    return this.#open?.lsn ?? null;
  }

  /** The connection is lost: another will go on from `position`. */
  interrupt(): void {
    const open = this.#open;
    if (open !== null && open.entries > 0) {
      this.#taken = { lsn: open.lsn, changes: open.first, messages: open.messages };
    }
    this.#open = null;
  }

  /** Goes on somewhere else, whatever was before. */
  jump(to: Lsn): void {
    this.#open = null;
    this.#taken = null;
    this.#position = to;
  }

  /** PostgreSQL has nothing for us before `lsn`. */
  reach(lsn: Lsn): void {
    if (this.#open === null) this.#position = laterOf(this.#position, lsn);
  }

  /** A promise when there is something to wait for: nothing more may be given until it settles. @throws PgoutputError */
  take(message: PgoutputMessage, sizeBytes: number): void | Promise<void> {
    switch (message.tag) {
      case "begin":
        return this.#begin(message);
      case "commit":
        return this.#commit(this.#current(), message.endLsn);
      case "relation":
        if (this.#needs.relations.announce(message.relation) && !this.announcesSchema) this.#isSchemaChanged = true;
        return;
      case "type":
        return this.#needs.types.tell(message.oid, message.name);
      case "message":
        return this.#message(message);
      case "origin":
        return;
      case "insert":
      case "update":
      case "delete":
      case "truncate":
        return this.#row(this.#current(), message, sizeBytes);
    }
  }

  #current(): Open {
    if (this.#open === null) throw new PgoutputError("A change belongs to no transaction.");
    return this.#open;
  }

  #begin({ finalLsn: lsn, xid, committedAtUs }: Extract<PgoutputMessage, { tag: "begin" }>): void {
    if (this.#open !== null) throw new PgoutputError("A transaction begins within another.");
    const taken = this.#taken?.lsn === lsn ? this.#taken : null;
    this.#taken = null;
    this.#skip = { changes: taken?.changes ?? 0, messages: taken?.messages ?? 0 };
    const [first, messages] = [this.#skip.changes, this.#skip.messages];
    const entries = first + messages > 0 ? 1 : 0;
    this.#open = { lsn, xid, committedAtUs, changes: [], sizeBytes: 0, first, message: null, entries, messages };
  }

  #row(open: Open, row: RowMessage, sizeBytes: number): void | Promise<void> {
    if (this.#isSchemaChanged || this.#isFull(open) || open.message !== null)
      return this.#rowLater(open, row, sizeBytes);
    for (const oid of oidsOf(row)) {
      const relation = this.#relation(oid);
      // Waited for, and not asked again: nobody else would hear that it could not be learned.
      if (relation instanceof Promise) return relation.then(() => this.#rowLater(open, row, sizeBytes));
    }
    for (const oid of oidsOf(row)) this.#add(open, row, this.#relation(oid) as ChangedRelation, sizeBytes);
  }

  /** As `#row`, when something has to be done first. */
  async #rowLater(open: Open, row: RowMessage, sizeBytes: number): Promise<void> {
    if (this.#isSchemaChanged || this.#isFull(open)) await this.#pass(open, false, open.lsn);
    await this.#passMessage(open, open.lsn);
    await this.#tellSchemaChange(open);
    const relations: ChangedRelation[] = [];
    for (const oid of oidsOf(row)) relations.push(await this.#relation(oid));
    for (const relation of relations) this.#add(open, row, relation, sizeBytes);
  }

  #relation(oid: number): ChangedRelation | Promise<ChangedRelation> {
    const relation = this.#needs.relations.get(oid);
    if (relation === undefined) throw new PgoutputError("A change is of a table that was not announced.");
    return relation;
  }

  #isFull({ changes, sizeBytes }: Open): boolean {
    return changes.length >= this.#needs.batch.changes || sizeBytes >= this.#needs.batch.bytes;
  }

  #add(open: Open, row: RowMessage, relation: ChangedRelation, sizeBytes: number): void {
    if (this.#skip.changes > 0) {
      this.#skip.changes--;
      return;
    }
    open.changes.push(changeOf(row, relation));
    // What a string and a slot of an array cost besides their bytes, roughly.
    open.sizeBytes += sizeBytes + 150 + 40 * relation.columns.length;
  }

  #message(message: Extract<PgoutputMessage, { tag: "message" }>): void | Promise<void> {
    const { prefix, lsn, isTransactional } = message;
    const content = this.#needs.openMessage(prefix, message.content);
    if (!isTransactional) {
      if (this.#open !== null) throw new PgoutputError("A message of its own stands within a transaction.");
      if (content === null) return this.reach(lsn);
      // PostgreSQL says where it ends, which may be where the next COMMIT begins: it stands before that.
      const entry = { kind: "message", lsn: lsn - 1n, endLsn: lsn, prefix, content } as const;
      const passed = this.#needs.onEntry(entry, sizeOf(entry), true);
      if (passed instanceof Promise) return passed.then(() => this.reach(entry.endLsn));
      return this.reach(entry.endLsn);
    }
    if (content === null) return;
    if (prefix === schemaChangePrefix) {
      this.#current();
      this.#isSchemaChanged = true;
      return;
    }
    return this.#transactional(this.#current(), { prefix, content });
  }

  async #transactional(open: Open, message: NonNullable<Open["message"]>): Promise<void> {
    if (this.#skip.messages > 0) {
      this.#skip.messages--;
      return;
    }
    await this.#pass(open, false, open.lsn);
    await this.#passMessage(open, open.lsn);
    open.message = message;
  }

  #commit(open: Open, endLsn: Lsn): void | Promise<void> {
    if (this.#isSchemaChanged || open.message !== null) return this.#commitLater(open, endLsn);
    const passed = this.#pass(open, true, endLsn);
    if (passed instanceof Promise) return passed.then(() => this.#close(endLsn));
    this.#close(endLsn);
  }

  async #commitLater(open: Open, endLsn: Lsn): Promise<void> {
    const isAlone = open.entries === 0 && open.changes.length === 0;
    await this.#passMessage(open, isAlone ? endLsn : open.lsn);
    if (!isAlone) await this.#pass(open, true, endLsn);
    await this.#tellSchemaChange(open);
    this.#close(endLsn);
  }

  #close(endLsn: Lsn): void {
    this.#open = null;
    this.#position = laterOf(this.#position, endLsn);
  }

  /** Passes on the changes there are. Without any, only to end a transaction of which something was passed on. */
  #pass(open: Open, isLast: boolean, endLsn: Lsn): void | Promise<void> {
    const { changes, lsn, xid, committedAtUs, first, sizeBytes } = open;
    if (changes.length === 0 && !(isLast && open.entries > 0)) return;
    const entry = { kind: "batch", lsn, endLsn, xid, committedAtUs, first, changes, isLast } as const;
    const passed = this.#needs.onEntry(entry, sizeBytes, open.entries === 0);
    const after = () => {
      open.entries++;
      open.first += changes.length;
      open.changes = [];
      open.sizeBytes = 0;
    };
    if (passed instanceof Promise) return passed.then(after);
    after();
  }

  async #passMessage(open: Open, endLsn: Lsn): Promise<void> {
    if (open.message === null) return;
    const entry = { kind: "message", lsn: open.lsn, endLsn, ...open.message } as const;
    await this.#needs.onEntry(entry, sizeOf(entry), open.entries === 0);
    open.message = null;
    open.entries++;
    open.messages++;
  }

  async #tellSchemaChange({ xid }: Open): Promise<void> {
    if (!this.#isSchemaChanged) return;
    this.#needs.relations.expire();
    await this.#needs.onSchemaChange(xid);
    this.#isSchemaChanged = false;
  }
}

function oidsOf(row: RowMessage): readonly number[] {
  return row.tag === "truncate" ? row.oids : [row.oid];
}

function sizeOf({ prefix, content }: { readonly prefix: string; readonly content: Buffer }): number {
  return content.length + prefix.length + 200;
}
