import { sql } from "pg-sql2";
import type { Queryable } from "../postgres/database.ts";

export interface SealedKeyring {
  readonly revision: number;
  readonly sealed: Buffer;
}

/** Another server on this database. */
export interface OtherNode {
  readonly keysFingerprint: string;
  readonly seenSecondsAgo: number;
}

type Db = Pick<Queryable, "query">;

/** All SQL about the keys nodes share, and about nodes that have others. */
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

  /** Says that this node is here, and with which keys. */
  async announceNode(db: Db, id: string, keysFingerprint: string): Promise<void> {
    await db.query(sql`
      insert into mainstay.nodes (id, keys_fingerprint) values (${sql.value(id)}, ${sql.value(keysFingerprint)})
      on conflict (id) do update set keys_fingerprint = excluded.keys_fingerprint, seen_at = now()`);
  },

  async otherNodes(db: Db, id: string): Promise<readonly OtherNode[]> {
    return db.query<OtherNode>(sql`
      select keys_fingerprint as "keysFingerprint", extract(epoch from now() - seen_at)::float8 as "seenSecondsAgo"
      from mainstay.nodes where id <> ${sql.value(id)} order by seen_at desc limit 1000`);
  },

  /** Remembers the node, and that it is not here any more. */
  async retireNode(db: Db, id: string): Promise<void> {
    await db.query(sql`
      update mainstay.nodes set seen_at = least(seen_at, now() - interval '1 hour') where id = ${sql.value(id)}`);
  },

  async sweepNodes(db: Db, olderThanSeconds: number): Promise<void> {
    await db.query(sql`
      delete from mainstay.nodes where seen_at < now() - make_interval(secs => ${sql.value(olderThanSeconds)})`);
  },
};
