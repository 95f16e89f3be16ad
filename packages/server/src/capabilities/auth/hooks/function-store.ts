import { sql } from "pg-sql2";
import type { Database, Queryable } from "../../../platform/postgres/database.ts";

export interface HookFunction {
  readonly schema: string;
  readonly function: string;
}

/**
 * Who hooks run as: grants and policies that Supabase's docs tell apps to write name this role. Where our login may not become it, a
 * hosted database for instance, the function is called as that login, and its grants decide.
 */
const become = sql`
  select
    current_setting('statement_timeout') as timeout, current_setting('role') as role,
    set_config('role', r.rolname, true)
  from (select) as always
  left join pg_catalog.pg_roles r on r.rolname = 'supabase_auth_admin' and (
    (select rolsuper from pg_catalog.pg_roles where rolname = current_user)
    or pg_has_role(current_user, r.oid,
      case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end)
  )`;

/** All SQL about hooks that are database functions. */
export const functionStore = {
  /**
   * Calls a function `jsonb → jsonb`, in `tx` when the caller is in a transaction: one that took another connection meanwhile would
   * empty the pool under load. What it changes is kept or lost with that transaction.
   */
  async call(
    db: Database,
    tx: Queryable | null,
    { schema, function: name }: HookFunction,
    payload: string,
    timeoutMs: number,
  ): Promise<unknown> {
    const work = async (within: Queryable): Promise<unknown> => {
      const [before] = await within.query<{ timeout: string; role: string }>(become);
      await within.query(sql`select set_config('statement_timeout', ${sql.value(String(timeoutMs))}, true)`);
      const [row] = await within.query<{ answer: unknown }>(
        sql`select ${sql.identifier(schema, name)}(${sql.value(payload)}::jsonb) as answer`,
      );
      await within.query(sql`
        select set_config('role', ${sql.value(before?.role ?? "none")}, true),
          set_config('statement_timeout', ${sql.value(before?.timeout ?? "0")}, true)`);
      return row?.answer ?? null;
    };
    return tx === null ? db.transaction(work) : work(tx);
  },
};
