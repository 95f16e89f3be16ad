import { type SQL, sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";

type Query = Pick<Queryable, "query">;

const interval = (ms: number): SQL => sql`${sql.value(ms)}::float8 * interval '1 ms'`;
const ids = (blobIds: readonly string[]): SQL => sql`${sql.value([...blobIds])}::uuid[]`;
const clock = sql`clock_timestamp()`;

/** All SQL of what nobody needs any more. Times are PostgreSQL's, so that nodes need not agree on theirs (threat X18). */
export const sweepStore = {
  /** Whether there is anything to do. */
  async isDue(db: Query, graceMs: number): Promise<boolean> {
    const [row] = await db.query<{ isDue: boolean }>(sql`
      select exists (select from mainstay.object_segments s where s.expires_at <= ${clock})
        or exists (select from mainstay.object_versions v where v.state = 'receiving' and v.expires_at <= ${clock})
        or exists (
          select from mainstay.object_versions v where v.state = 'dead' and v.expires_at <= ${clock} - ${interval(graceMs)}
        ) as "isDue"`);
    return row!.isDue;
  },

  /** Gives up what nobody receives any more. @returns how many */
  async giveUpReceiving(db: Query, most: number): Promise<number> {
    const rows = await db.query(sql`
      update mainstay.object_versions v set state = 'dead', expires_at = '-infinity'
      from (
        select id from mainstay.object_versions where state = 'receiving' and expires_at <= ${clock}
        order by expires_at limit ${sql.value(most)} for update skip locked
      ) due
      where v.id = due.id
      returning v.id`);
    return rows.length;
  },

  /** Blobs that are ours to remove for the time of the claim. @see mainstay.claim_dead_segments */
  async claimSegments(
    db: Query,
    { graceMs, claimMs, most }: { readonly graceMs: number; readonly claimMs: number; readonly most: number },
  ): Promise<readonly string[]> {
    const rows = await db.query<{ blobId: string }>(sql`
      select c::text as "blobId"
      from mainstay.claim_dead_segments(${interval(graceMs)}, ${interval(claimMs)}, ${sql.value(most)}::integer) c`);
    return rows.map(({ blobId }) => blobId);
  },

  /** Their bytes are gone. */
  async forgetSegments(db: Query, blobIds: readonly string[]): Promise<void> {
    await db.query(sql`delete from mainstay.object_segments s where s.blob_id = any (${ids(blobIds)}) and s.is_dead`);
  },

  /** Forgets dead versions that have no bytes left. @returns how many */
  async forgetVersions(db: Query, graceMs: number, most: number): Promise<number> {
    const rows = await db.query(sql`
      delete from mainstay.object_versions v
      using (
        select d.id from mainstay.object_versions d
        where d.state = 'dead' and d.expires_at <= ${clock} - ${interval(graceMs)}
          and not exists (select from mainstay.object_segments s where s.version_id = d.id)
        limit ${sql.value(most)} for update skip locked
      ) due
      where v.id = due.id
      returning v.id`);
    return rows.length;
  },
};
