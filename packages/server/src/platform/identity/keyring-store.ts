import { sql } from "pg-sql2";
import type { Queryable } from "../postgres/database.ts";

export interface SealedKeyring {
  readonly revision: number;
  readonly sealed: Buffer;
}

type Db = Pick<Queryable, "query">;

/** All SQL about the keys nodes share. */
export const keyringStore = {
  async read(db: Db): Promise<SealedKeyring | null> {
    const [row] = await db.query<{ revision: number; sealed: string }>(sql`
      select revision::float8 as revision, encode(sealed, 'hex') as sealed from mainstay.keyring`);
    return row === undefined ? null : { revision: row.revision, sealed: Buffer.from(row.sealed, "hex") };
  },

  /** Of several nodes that start at once on an empty database one makes the keys. */
  async create(db: Db, sealed: Buffer): Promise<void> {
    await db.query(sql`
      insert into mainstay.keyring (revision, sealed) values (1, decode(${sql.value(sealed.toString("hex"))}, 'hex'))
      on conflict do nothing`);
  },

  /** @returns false when the keys are no longer those of `revision` */
  async replace(db: Db, revision: number, sealed: Buffer): Promise<boolean> {
    const rows = await db.query(sql`
      update mainstay.keyring
      set revision = revision + 1, sealed = decode(${sql.value(sealed.toString("hex"))}, 'hex'), updated_at = now()
      where revision = ${sql.value(revision)} returning 1`);
    return rows.length === 1;
  },
};
