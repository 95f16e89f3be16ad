import type { ChangedColumn, ChangedRelation } from "../../kernel/change.ts";
import type { ColumnTypes } from "./column-types.ts";
import type { RelationMessage } from "./pgoutput.ts";

interface Known {
  readonly message: RelationMessage;
  relation: ChangedRelation | null;
  /** The schema it was made under. */
  generation: number;
}

/** The tables a stream speaks of, by number: each is announced before its first change, and again when it may be another. */
export class Relations {
  readonly #known = new Map<number, Known>();
  readonly #types: ColumnTypes;
  #generation = 0;

  constructor(types: ColumnTypes) {
    this.#types = types;
  }

  /** @returns whether a table is announced that was known, which PostgreSQL does when something of it has changed */
  announce(message: RelationMessage): boolean {
    const before = this.#known.get(message.oid);
    this.#known.set(message.oid, { message, relation: before?.relation ?? null, generation: -1 });
    return before !== undefined;
  }

  has(oid: number): boolean {
    return this.#known.has(oid);
  }

  /** As it is now; a promise when its types have to be learned first. The same object for as long as it is the same. */
  get(oid: number): ChangedRelation | Promise<ChangedRelation> | undefined {
    const known = this.#known.get(oid);
    if (known === undefined) return undefined;
    if (known.relation !== null && known.generation === this.#generation) return known.relation;
    const oids = known.message.columns.map(({ typeOid }) => typeOid);
    if (oids.every((one) => this.#types.get(one) !== undefined)) return this.#make(known);
    return this.#types.learn(oids).then(() => this.#make(known));
  }

  /** The schema has changed: types may have other names and parts. */
  expire(): void {
    this.#generation++;
    this.#types.forgetOwn();
  }

  #make(known: Known): ChangedRelation {
    const made = relationOf(known.message, this.#types);
    if (known.relation === null || !isSame(known.relation, made)) known.relation = made;
    known.generation = this.#generation;
    return known.relation;
  }
}

function relationOf(message: RelationMessage, types: ColumnTypes): ChangedRelation {
  const { oid, schema, name, replicaIdentity } = message;
  const columns = message.columns.map(({ name, typeOid, isKey }): ChangedColumn => {
    const type = types.get(typeOid)!;
    return { name, typeOid, typeName: type.name, isKey, shape: type.shape };
  });
  const places = new Map(columns.map((column, at) => [column.name, at]));
  return { oid, schema, name, replicaIdentity, columns, indexOf: (column) => places.get(column) ?? -1 };
}

function isSame(a: ChangedRelation, b: ChangedRelation): boolean {
  const wordsOf = ({ schema, name, replicaIdentity, columns }: ChangedRelation) =>
    JSON.stringify([schema, name, replicaIdentity, columns]);
  return wordsOf(a) === wordsOf(b);
}
