import type { Database } from "../../postgres/database.ts";
import { Snapshot } from "../snapshot.ts";
import { Rules } from "./rules.ts";
import { type RulesRows, rulesStore } from "./store.ts";
import { Trees } from "./trees.ts";

const noRows: RulesRows = {
  tables: [],
  roles: [],
  memberships: [],
  functions: [],
  database: { owner: 0, collation: { isDeterministic: false, provider: "", collate: null, ctype: null, locale: null } },
  snapshot: "1:1:",
  fingerprint: "",
};

/** Holds the newest rules of the tables that anybody has asked for. */
export class RulesReader {
  readonly #database: Database;
  readonly #trees: Trees;
  readonly #wanted = new Set<number>();
  #rows: RulesRows = noRows;
  #rules = new Rules(noRows, new Map());
  /** What is there is the answer, or nothing is known: not yet, or not any more. */
  #prepared: ReadonlySet<number> = new Set();
  readonly #awaited = new Set<number>();
  /** Transactions that have changed the schema, and that others may not see yet. */
  readonly #unseen = new Set<number>();
  #last: Promise<unknown> = Promise.resolve();

  constructor({ database, parserIdleMs }: { readonly database: Database; readonly parserIdleMs: number }) {
    this.#database = database;
    this.#trees = new Trees({ idleMs: parserIdleMs });
  }

  get rules(): Rules {
    return this.#rules;
  }

  get fingerprint(): string {
    return this.#rows.fingerprint;
  }

  get hasTables(): boolean {
    return this.#wanted.size > 0;
  }

  /** Of all tables that are known, those that policies look into among them. */
  get oids(): readonly number[] {
    return this.#rows.tables.map(({ oid }) => oid);
  }

  isPrepared(oid: number): boolean {
    return this.#prepared.has(oid);
  }

  /** Somebody has been told that nobody sees it, only because it is not known: when it is, that is a change. */
  await(oid: number): void {
    this.#wanted.add(oid);
    this.#awaited.add(oid);
  }

  /**
   * Reads the rules anew, these tables' among them; one after the other, so that what is there last was read last. Rejects as the database
   * does; then everything is as it was.
   * @returns whether anything is not as it was known to be
   */
  read(oids: readonly number[]): Promise<boolean> {
    for (const oid of oids) this.#wanted.add(oid);
    const reading = this.#last.then(() => this.#read());
    this.#last = reading.catch(() => {});
    return reading;
  }

  /** What is read from now on has seen this transaction, or is not taken. */
  mustSee(xid: number): void {
    this.#unseen.add(xid);
  }

  /** Nothing is known until it has been read again. */
  forget(): void {
    this.#rows = noRows;
    this.#rules = new Rules(noRows, new Map());
    this.#prepared = new Set();
    for (const oid of this.#wanted) this.#awaited.add(oid);
  }

  /** What is being read may be given up. */
  close(): Promise<void> {
    return this.#trees.close();
  }

  async #read(): Promise<boolean> {
    const wanted = [...this.#wanted];
    const rows = await rulesStore.read(this.#database, wanted);
    const snapshot = new Snapshot(rows.snapshot);
    for (const xid of this.#unseen) {
      if (!snapshot.sees(xid)) throw new Error("A change of the schema that the log has shown is not visible yet.");
      this.#unseen.delete(xid);
    }
    const trees = await this.#trees.keep(rows.tables.flatMap(({ policies }) => policies.map((policy) => policy.sql)));
    const isChanged = differs(this.#rows, rows) || wanted.filter((oid) => this.#awaited.delete(oid)).length > 0;
    this.#rows = rows;
    this.#rules = new Rules(rows, trees);
    this.#prepared = new Set(wanted);
    return isChanged;
  }
}

/** Whether what was known before is not so any more. What is known now besides is no difference. */
function differs(before: RulesRows, now: RulesRows): boolean {
  if (before === noRows) return false;
  const shared = ({ roles, memberships, functions, database }: RulesRows): string =>
    JSON.stringify([roles, memberships, functions, database]);
  if (shared(before) !== shared(now)) return true;
  const tables = new Map(now.tables.map((table) => [table.oid, JSON.stringify(table)]));
  return before.tables.some((table) => tables.get(table.oid) !== JSON.stringify(table));
}
