import { sql } from "pg-sql2";
import type { Queryable } from "../postgres/database.ts";

/** Told when a message was put in; its payload is the channel's name. */
export const outboxNews = "mainstay_outbox";

export interface ClaimedRow {
  readonly id: string;
  readonly channel: string;
  readonly payload: Buffer;
  /** Including the one that begins now. Whoever has it may settle the message; a later claim has another. */
  readonly attempts: number;
  readonly isExpired: boolean;
  /** Milliseconds until it expires, by the database's clock. */
  readonly leftMs: number;
}

const interval = (ms: number) => sql`${sql.value(ms)}::float8 * interval '1 millisecond'`;

type Db = Pick<Queryable, "query">;

/** All SQL about messages on their way out. Times are the database's, so that nodes need not agree on theirs (threat X18). */
export const outboxStore = {
  async put(
    tx: Db,
    row: { readonly id: string; readonly channel: string; readonly payload: Buffer; readonly lifetimeMs: number },
  ): Promise<void> {
    await tx.query(sql`
      with stored as (
        insert into mainstay.outbox (id, channel, payload, expires_at)
        values (${sql.value(row.id)}, ${sql.value(row.channel)}, decode(${sql.value(row.payload.toString("hex"))}, 'hex'), now() + ${interval(row.lifetimeMs)})
        returning channel
      )
      select pg_notify(${sql.value(outboxNews)}, channel) from stored`);
  },

  /** Takes what is due. Rows that another node is taking right now are passed over, not waited for. */
  claim(
    db: Db,
    wish: { readonly channel: string; readonly count: number; readonly leaseMs: number },
  ): Promise<readonly ClaimedRow[]> {
    return db.query<ClaimedRow>(sql`
      update mainstay.outbox o
      set attempts = o.attempts + 1, locked_until = clock_timestamp() + ${interval(wish.leaseMs)}
      from (
        select id from mainstay.outbox
        where channel = ${sql.value(wish.channel)} and next_try_at <= clock_timestamp()
          and (locked_until is null or locked_until <= clock_timestamp())
        order by next_try_at
        limit ${sql.value(wish.count)}
        for update skip locked
      ) due
      where o.id = due.id
      returning o.id, o.channel, o.payload, o.attempts, o.expires_at <= clock_timestamp() as "isExpired",
        extract(epoch from o.expires_at - clock_timestamp())::float8 * 1000 as "leftMs"`);
  },

  async renew(db: Db, claims: readonly Pick<ClaimedRow, "id" | "attempts">[], leaseMs: number): Promise<void> {
    await db.query(sql`
      update mainstay.outbox o set locked_until = clock_timestamp() + ${interval(leaseMs)}
      from unnest(${sql.value(claims.map(({ id }) => id))}::uuid[], ${sql.value(claims.map(({ attempts }) => attempts))}::int[])
        as mine (id, attempts)
      where o.id = mine.id and o.attempts = mine.attempts`);
  },

  /** It is out: nothing of it stays. */
  async settle(db: Db, id: string): Promise<void> {
    await db.query(sql`delete from mainstay.outbox where id = ${sql.value(id)}`);
  },

  /** Does nothing when another node has it by now. */
  async retryLater(db: Db, claim: Pick<ClaimedRow, "id" | "attempts">, waitMs: number, error: string): Promise<void> {
    await db.query(sql`
      update mainstay.outbox
      set locked_until = null, next_try_at = clock_timestamp() + ${interval(waitMs)}, last_error = ${sql.value(error)}
      where id = ${sql.value(claim.id)} and attempts = ${sql.value(claim.attempts)}`);
  },

  /** Removes what expired a day ago and has no channel on any node. */
  async sweep(db: Db): Promise<void> {
    await db.query(sql`delete from mainstay.outbox where expires_at < now() - interval '1 day'`);
  },
};
