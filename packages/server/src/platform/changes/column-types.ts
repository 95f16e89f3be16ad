import { setTimeout as sleep } from "node:timers/promises";
import type { JsonShape } from "../../kernel/change.ts";
import type { Queryable } from "../postgres/database.ts";
import { builtInShape } from "./json-shape.ts";
import { changesStore, type TypeRow } from "./store.ts";

/** What a reader wants to know of a column's type. */
export interface ColumnType {
  readonly name: string;
  readonly shape: JsonShape;
}

/** Between looks for a type that the log knows and the catalogue does not, in ms. */
const missingRetryMs = 10;
/** Types with smaller numbers come with PostgreSQL: they never change. `FirstNormalObjectId` of its source. */
const firstOwnOid = 16_384;

/**
 * The types of columns, by number. The log has only numbers, and of an app's own types names that are wrong for domains (it says what
 * they are made from): the catalogue is asked once for each, and again for an app's own after the schema has changed.
 */
export class ColumnTypes {
  readonly #rows = new Map<number, TypeRow>();
  readonly #types = new Map<number, ColumnType>();
  /** What the log itself said of types: for those that are gone from the catalogue by now. */
  readonly #told = new Map<number, string>();
  readonly #db: Pick<Queryable, "query">;

  constructor(db: Pick<Queryable, "query">) {
    this.#db = db;
  }

  /** `undefined` when the catalogue has to be asked first. */
  get(oid: number): ColumnType | undefined {
    return this.#types.get(oid);
  }

  tell(oid: number, name: string): void {
    this.#told.set(oid, name);
  }

  /** Asks for those that are not known. Rejects as the database does. */
  async learn(oids: readonly number[]): Promise<void> {
    const unknown = oids.filter((oid) => !this.#types.has(oid));
    if (unknown.length === 0) return;
    // One that was made by the transaction that is being read may be a moment from being seen by others.
    for (let tries = 0; tries < 3; tries++) {
      for (const row of await changesStore.types(this.#db, unknown)) this.#rows.set(row.oid, row);
      if (unknown.every((oid) => this.#rows.has(oid))) break;
      await sleep(missingRetryMs);
    }
    for (const oid of unknown) this.#types.set(oid, this.#typeOf(oid));
  }

  /** The app's own types may be others now. */
  forgetOwn(): void {
    for (const known of [this.#rows, this.#types, this.#told]) {
      for (const oid of known.keys()) if (oid >= firstOwnOid) known.delete(oid);
    }
  }

  #typeOf(oid: number): ColumnType {
    const row = this.#rows.get(oid);
    if (row === undefined) return { name: this.#told.get(oid) ?? "unknown", shape: { kind: "string" } };
    return { name: row.name, shape: this.#shapeOf(oid) };
  }

  // A type cannot contain itself but through an array, of which PostgreSQL allows no end: what is deeper than any sane type is text.
  #shapeOf(oid: number, depth = 0): JsonShape {
    const row = this.#rows.get(oid);
    if (row === undefined || depth > 32) return { kind: "string" };
    if (row.baseOid !== 0) return this.#shapeOf(row.baseOid, depth + 1);
    if (row.elementOid !== 0) {
      return { kind: "array", element: this.#shapeOf(row.elementOid, depth + 1), delimiter: this.#delimiterOf(row) };
    }
    if (row.kind === "c") {
      const fields = row.fields.map(({ name, typeOid }) => ({ name, shape: this.#shapeOf(typeOid, depth + 1) }));
      return { kind: "composite", fields };
    }
    return oid < firstOwnOid ? builtInShape(row.name) : { kind: "string" };
  }

  /** An array is printed with its element's delimiter, not with its own. */
  #delimiterOf({ elementOid }: TypeRow): string {
    return this.#rows.get(elementOid)?.delimiter ?? ",";
  }
}
