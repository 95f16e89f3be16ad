import { sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";

type Db = Pick<Queryable, "query">;

export const inboundStore = {
  /** Remembers an event by its marks, in their order. @returns whether none of them was known; waits for whoever is about to remember one */
  async remember(tx: Db, functionName: string, marks: readonly string[]): Promise<boolean> {
    const rows = await tx.query(sql`
      insert into mainstay.inbound_events (function, event_id)
      select ${sql.value(functionName)}, m.mark from unnest(${sql.value([...marks])}::text[]) with ordinality as m (mark, n)
      where not exists (
        select from mainstay.inbound_events e
        where e.function = ${sql.value(functionName)} and e.event_id = any(${sql.value([...marks])}::text[])
      ) order by m.n
      on conflict do nothing returning 1`);
    return rows.length === marks.length;
  },

  async handledBy(tx: Db, functionName: string, marks: readonly string[], jobId: string): Promise<void> {
    await tx.query(sql`
      update mainstay.inbound_events set job_id = ${sql.value(jobId)}
      where function = ${sql.value(functionName)} and event_id = any(${sql.value([...marks])}::text[])`);
  },

  /** Forgets what is older, at most so many. @returns how many it were */
  async sweep(db: Db, keepMs: number, atMost: number): Promise<number> {
    const rows = await db.query(sql`
      delete from mainstay.inbound_events e
      where (e.function, e.event_id) in (
        select o.function, o.event_id from mainstay.inbound_events o
        where o.received_at < now() - ${sql.value(keepMs)}::float8 * interval '1 ms' order by o.received_at limit ${sql.value(atMost)}::int
      ) returning 1`);
    return rows.length;
  },
};
