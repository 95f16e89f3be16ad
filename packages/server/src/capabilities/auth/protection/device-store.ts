import { type SQL, sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";

/** What was noted of a device's use within this time is not noted again: most sign-ins then write nothing about it. */
const staleAfter = sql`make_interval(hours => 1)`;

/** The device, when it is known, as a condition. @param device hashed, in hexadecimal */
export const isKnownDevice = (userId: SQL, device: SQL): SQL => sql`exists (
  select from mainstay.known_devices d where d.user_id = ${userId} and d.device_hash = decode(${device}::text, 'hex'))`;

/** Notes that a known device was used, as part of a longer statement. */
export const useDevice = (userId: SQL, device: SQL, isDue: SQL): SQL => sql`
  update mainstay.known_devices d set last_seen = now()
  where d.user_id = ${userId} and d.device_hash = decode(${device}::text, 'hex')
    and d.last_seen < now() - ${staleAfter} and ${isDue}`;

/** All SQL about the devices users are known to use. */
export const deviceStore = {
  /**
   * Remembers that `device` was used. One statement, so that of two sign-ins at once one is the first.
   * @param device hashed, in hexadecimal
   * @returns true when it is new to a user of whom others are known
   */
  async see(db: Pick<Queryable, "query">, userId: string, device: string): Promise<boolean> {
    const [seen] = await db.query<{ isNew: boolean }>(sql`
      with others as materialized (
        select exists (select from mainstay.known_devices where user_id = ${sql.value(userId)}) as are_known
      ), seen as (
        insert into mainstay.known_devices as d (user_id, device_hash, first_seen, last_seen)
        select ${sql.value(userId)}::uuid, decode(${sql.value(device)}, 'hex'), now(), now() from others
        on conflict (user_id, device_hash) do update set last_seen = now()
        -- Zero only for a row that this statement has made.
        returning d.xmax = 0 as is_made
      )
      select is_made and are_known as "isNew" from seen, others`);
    return seen?.isNew ?? false;
  },

  /** Forgets devices that were not used for long. @returns how many */
  async sweep(db: Pick<Queryable, "query">, olderThanDays: number): Promise<number> {
    const rows = await db.query(sql`
      delete from mainstay.known_devices
      where last_seen < now() - make_interval(days => ${sql.value(olderThanDays)}) - ${staleAfter} returning 1`);
    return rows.length;
  },
};
