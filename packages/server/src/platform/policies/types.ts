import type { ChangedRelation, RowImage } from "../../kernel/change.ts";
import type { Principal } from "../../kernel/principal.ts";

/** What a caller may read of a table, apart from which rows. */
export interface ReadRights {
  /** Names of the columns the caller's role may select; empty when it may not read the table at all. */
  readonly columns: ReadonlySet<string>;
  /** Row level security applies to the caller: which rows is for `sees` to say. */
  readonly isRowSecured: boolean;
  /** The primary key, in order; empty without one. Always in the old image of what is row secured, and nothing else is (threat R04). */
  readonly primaryKey: readonly string[];
}

/**
 * PostgreSQL's policies, decided here. Exactly what PostgreSQL would say of each row, or PostgreSQL is asked: a wrong yes would be
 * a leak.
 */
export interface Policies {
  /**
   * Reads the rules of these tables, once: they are kept known from then on. Somebody in a group of a table that nobody has prepared
   * sees nothing until its rules have been read, which is told by `onChange`. Rejects as the database does.
   */
  prepare(relations: readonly Pick<ChangedRelation, "oid">[]): Promise<void>;
  /**
   * What decides, of this caller, about this table. Callers with equal keys see the same rows and columns, so one
   * decision serves them all. Cheap; changes when the policies do (`onChange`).
   */
  groupOf(relation: ChangedRelation, who: Principal): ViewerGroup;
  /**
   * Sees to it, as far as it is possible, that the log tells of every change of these tables (oids), published or not: for whoever keeps
   * an answer that follows from their rows. Returns at once; to be called again now and then, since a change of the schema may undo it.
   */
  followTables(oids: readonly number[]): void;
  /** The rules have changed: groups must be asked for anew. @returns how to stop listening */
  onChange(listener: () => void): () => void;
  close(): Promise<void>;
}

/** Callers who see the same of one table. The same object for as long as the rules stay and somebody holds it. */
export interface ViewerGroup {
  readonly key: string;
  readonly rights: ReadRights;
  /**
   * Whether each of these rows may be seen, as of their own content and of what the rest of the database says now. At once where
   * it can be decided in memory; otherwise after asking PostgreSQL, once for all of them. Never rejects: what cannot be
   * decided is not seen, and is reported.
   */
  sees(rows: readonly RowImage[]): readonly boolean[] | Promise<readonly boolean[]>;
}
