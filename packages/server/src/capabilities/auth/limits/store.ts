import { type SQL, sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { type Pace, slack } from "./bucket.ts";

/** What one node has counted of one bucket since it last told. */
export interface Count {
  /** Hashed, in hexadecimal. */
  readonly key: string;
  readonly pace: Pace;
  /** Negative when more was given back than taken. */
  readonly taken: number;
}

/** What is in a bucket now, if it holds what it held at `at`. Time that runs backwards gives nothing (threat X18). */
const levelAt = (now: SQL): SQL =>
  sql`least(r.capacity, r.level + greatest(0, extract(epoch from ${now} - r.at)) * r.per_second)`;

/**
 * All SQL about buckets. The database's clock is everybody's; `shiftMs` is added to it, and is not 0 only where a test moves the
 * clock.
 */
export const limitsStore = {
  /** Takes one from a bucket if there is one. One statement: two at once cannot both get the last. @returns seconds to wait; 0: taken */
  async take(db: Pick<Queryable, "query">, key: string, pace: Pace, shiftMs: number): Promise<number> {
    const now = nowOf(shiftMs);
    const [row] = await db.query<{ isTaken: boolean; waitSeconds: number }>(sql`
      with taken as (
        insert into mainstay.rate_limits as r (key, level, capacity, per_second, at)
        values (${bytes(key)}, ${float(pace.capacity - 1)}, ${float(pace.capacity)}, ${float(pace.perSecond)}, ${now})
        on conflict (key) do update set level = ${levelAt(sql`excluded.at`)} - 1, at = excluded.at
        where ${levelAt(sql`excluded.at`)} >= ${float(1 - slack)}
        returning r.level
      )
      select true as "isTaken", 0::float8 as "waitSeconds" from taken
      union all
      select false, (1 - ${levelAt(now)}) / r.per_second from mainstay.rate_limits r
      where r.key = ${bytes(key)} and not exists (select from taken)`);
    if (row?.isTaken) return 0;
    // The level is that of before the statement: whoever took the last one while it waited is not in it, nor is a bucket that was
    // made and emptied meanwhile. Then the next one is what there is to wait for.
    return row !== undefined && row.waitSeconds > 0 ? row.waitSeconds : 1 / pace.perSecond;
  },

  /** @returns seconds until one can be taken, 0 when it can now */
  async look(db: Pick<Queryable, "query">, key: string, pace: Pace, shiftMs: number): Promise<number> {
    const [row] = await db.query<{ waitSeconds: number }>(sql`
      select (1 - ${levelAt(nowOf(shiftMs))}) / r.per_second as "waitSeconds"
      from mainstay.rate_limits r where r.key = ${bytes(key)}`);
    return row === undefined || row.waitSeconds * pace.perSecond <= slack ? 0 : row.waitSeconds;
  },

  /**
   * Adds what this node has counted and brings back what is left for all. In the order of keys, so that two nodes that tell of the
   * same ones at once wait for each other and never both. @returns levels by key, in hexadecimal
   */
  async exchange(
    db: Pick<Queryable, "query">,
    counts: readonly Count[],
    shiftMs: number,
  ): Promise<ReadonlyMap<string, number>> {
    const rows = await db.query<{ key: string; level: number }>(sql`
      insert into mainstay.rate_limits as r (key, level, capacity, per_second, at)
      select decode(c.key, 'hex'), c.capacity - c.taken, c.capacity, c.per_second, ${nowOf(shiftMs)}
      from unnest(
        ${sql.value(counts.map((count) => count.key))}::text[],
        ${sql.value(counts.map((count) => count.pace.capacity))}::float8[],
        ${sql.value(counts.map((count) => count.pace.perSecond))}::float8[],
        ${sql.value(counts.map((count) => count.taken))}::float8[]
      ) as c (key, capacity, per_second, taken)
      order by c.key
      on conflict (key) do update set
        -- What was taken is what the new row lacks; a debt is never more than a bucket.
        level = greatest(-r.capacity, ${levelAt(sql`excluded.at`)} - (excluded.capacity - excluded.level)),
        at = excluded.at
      returning encode(r.key, 'hex') as key, r.level`);
    return new Map(rows.map(({ key, level }) => [key, level]));
  },

  /** Forgets buckets that are full again: as good as none. @returns how many */
  async sweep(db: Pick<Queryable, "query">, shiftMs: number): Promise<number> {
    const rows = await db.query(sql`
      delete from mainstay.rate_limits r where ${levelAt(nowOf(shiftMs))} >= r.capacity returning 1`);
    return rows.length;
  },
};

const bytes = (hex: string): SQL => sql`decode(${sql.value(hex)}, 'hex')`;

const float = (value: number): SQL => sql`${sql.value(value)}::float8`;

const nowOf = (shiftMs: number): SQL => sql`(clock_timestamp() + make_interval(secs => ${float(shiftMs / 1000)}))`;
