import { sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";

export type Scope = "project" | "country" | "number";

export interface Counted {
  readonly scope: Scope;
  /** Messages of this day with the one just counted. */
  readonly sent: number;
  /** Until the day is over. */
  readonly secondsLeft: number;
}

export interface Conversion {
  /** Messages to a country today and yesterday. */
  readonly sent: number;
  /** How many of their codes came back. */
  readonly verified: number;
  readonly secondsLeft: number;
}

/** Counts are kept for so many days, for whoever wants to look. */
const keptDays = 30;

const today = sql`(now() at time zone 'utc')::date`;
const secondsLeft = sql`ceil(extract(epoch from ${today} + 1 - (now() at time zone 'utc')))::int`;

/** All SQL about how many text messages there were. Days are the database's, in UTC, so that all nodes have the same one. */
export const smsStore = {
  /**
   * Counts one message in every scope, in one statement. Rows are taken in the given order: when all callers give the same one, none
   * waits for another that waits for it.
   */
  count(tx: Queryable, scopes: readonly (readonly [scope: Scope, key: string])[]): Promise<readonly Counted[]> {
    return tx.query<Counted>(sql`
      insert into mainstay.sms_budget as budget (day, scope, key, sent)
      select ${today}, wanted.scope, wanted.key, 1
      from jsonb_to_recordset(${sql.value(asRecords(scopes))}::jsonb) as wanted (place int, scope text, key text)
      order by wanted.place
      on conflict (day, scope, key) do update set sent = budget.sent + 1
      returning scope, sent, ${secondsLeft} as "secondsLeft"`);
  },

  async conversion(db: Queryable, country: string): Promise<Conversion> {
    const [row] = await db.query<Conversion>(sql`
      select coalesce(sum(sent), 0)::int as sent, coalesce(sum(verified), 0)::int as verified, ${secondsLeft} as "secondsLeft"
      from mainstay.sms_budget
      where day >= ${today} - 1 and scope = 'country' and key = ${sql.value(country)}`);
    return row ?? { sent: 0, verified: 0, secondsLeft: 0 };
  },

  /** A code that came back was sent today, or just before midnight: what is not there is not counted. */
  async countVerified(db: Queryable, country: string): Promise<void> {
    await db.query(sql`
      update mainstay.sms_budget set verified = verified + 1
      where day = (
        select max(day) from mainstay.sms_budget
        where day >= ${today} - 1 and scope = 'country' and key = ${sql.value(country)}
      ) and scope = 'country' and key = ${sql.value(country)}`);
  },

  /** Locked rows are left to whoever has them: two who sweep at once must not wait for each other. */
  async sweep(db: Queryable): Promise<void> {
    await db.query(sql`
      delete from mainstay.sms_budget
      where (day, scope, key) in (
        select day, scope, key from mainstay.sms_budget where day < ${today} - ${sql.value(keptDays)}::int
        for update skip locked
      )`);
  },
};

const asRecords = (scopes: readonly (readonly [scope: Scope, key: string])[]): string =>
  JSON.stringify(scopes.map(([scope, key], place) => ({ place, scope, key })));
