import { compile, type SQL, sql } from "pg-sql2";
import type { Database, Queryable } from "../../../platform/postgres/database.ts";
import { rfc3339 } from "../../../platform/postgres/sql-fragments.ts";

/** What becomes of some rows of one table. */
export interface PlannedRows {
  readonly schema: string;
  readonly table: string;
  /** `detach`: they stay and lose their reference. `block`: they would not let the account go. */
  readonly action: "delete" | "detach" | "block";
  readonly rows: number;
}

export interface AccountPolicy {
  readonly freshSeconds: number;
  readonly graceDays: number;
  readonly erasedTables: readonly string[];
}

/** One connection that reads an account as it is at one moment. Must be closed. */
export interface AccountReader {
  /** Which tables have something of the user's, but for those of sign-in itself. */
  readonly tables: readonly PlannedRows[];
  /** Some rows as JSON texts, in no particular order, until all have been read. */
  rows(table: PlannedRows): AsyncIterable<readonly string[]>;
  /** What sign-in keeps of the user, but for secrets: JSON texts. */
  own(): Promise<{ readonly sessions: string; readonly passkeys: string }>;
  /** The audit log about the user, newest last: JSON texts. */
  auditLog(): AsyncIterable<readonly string[]>;
  close(): Promise<void>;
}

/** Schemas whose rows are shown, if at all, column by column: they hold hashes and keys. */
const ownSchemas = ["auth", "mainstay"];
/** Rows read at once. */
const batchSize = 500;
/** How long a reader may pause: a phone that has gone away holds a connection no longer. */
const idleTimeout = "60s";

/** All SQL about accounts that go, and what is written down of them. The walk itself is the migration's (0011). */
export const accountStore = {
  /** Tells the database what the server is set to, for those who delete accounts by SQL. */
  async setPolicy(db: Queryable, policy: AccountPolicy): Promise<void> {
    await db.query(sql`
      insert into mainstay.account_policy (fresh_for, grace, erased_tables)
      values (make_interval(secs => ${sql.value(policy.freshSeconds)}), make_interval(days => ${sql.value(policy.graceDays)}),
        ${sql.value(policy.erasedTables)}::text[])
      on conflict (id) do update
        set fresh_for = excluded.fresh_for, grace = excluded.grace, erased_tables = excluded.erased_tables
        where account_policy is distinct from excluded`);
  },

  async plan(tx: Queryable, userId: string, erasedTables: readonly string[]): Promise<readonly PlannedRows[]> {
    const [row] = await tx.query<{ plan: readonly PlannedRows[] }>(sql`
      select mainstay.account_plan(${sql.value(userId)}, ${sql.value(erasedTables)}::text[]) as plan`);
    return row?.plan ?? [];
  },

  /** Deletes everything of the account, unless the plan it returns has rows that block. `null` when there is no such account. */
  async erase(
    tx: Queryable,
    userId: string,
    erasedTables: readonly string[],
    pseudonym: string,
  ): Promise<readonly PlannedRows[] | null> {
    const [row] = await tx.query<{ plan: readonly PlannedRows[] | null }>(sql`
      select mainstay.erase_account(${sql.value(userId)}, ${sql.value(erasedTables)}::text[], ${sql.value(pseudonym)}) as plan`);
    return row?.plan ?? null;
  },

  /** Writes the wish down. @returns when it will be fulfilled: RFC 3339 */
  async request(tx: Queryable, userId: string, graceDays: number): Promise<string> {
    const [row] = await tx.query<{ dueAt: string }>(sql`
      insert into mainstay.account_erasures (user_id, due_at)
      values (${sql.value(userId)}, now() + make_interval(days => ${sql.value(graceDays)}))
      on conflict (user_id) do update set due_at = least(account_erasures.due_at, excluded.due_at)
      returning ${rfc3339(sql`due_at`)} as "dueAt"`);
    return row?.dueAt ?? "";
  },

  async isAnyDue(db: Pick<Queryable, "query">): Promise<boolean> {
    const [row] = await db.query<{ isAny: boolean }>(sql`
      select exists (select from mainstay.account_erasures where due_at <= now()) as "isAny"`);
    return row?.isAny ?? false;
  },

  /** Holds the account that has waited longest, for the rest of the transaction; `null` when none is due. */
  async takeDue(tx: Queryable): Promise<string | null> {
    const [row] = await tx.query<{ id: string }>(sql`
      select user_id as id from mainstay.account_erasures where due_at <= now()
      order by due_at limit 1 for update skip locked`);
    return row?.id ?? null;
  },

  /** It could not be done; it is tried again, later each time. */
  async postpone(db: Queryable, userId: string, reason: string): Promise<void> {
    await db.query(sql`
      update mainstay.account_erasures set attempts = attempts + 1, last_error = ${sql.value(reason)},
        due_at = now() + least(interval '1 minute' * 2 ^ least(attempts, 12), interval '1 day')
      where user_id = ${sql.value(userId)}`);
  },

  /** Opens a reader on a connection of its own: an export takes as long as its reader does, and the pool has few. */
  async openReader(db: Database, userId: string, erasedTables: readonly string[]): Promise<AccountReader> {
    const client = await db.connect();
    // A connection that is lost rejects the query under way; nobody else need hear of it.
    client.on("error", () => {});
    const query = async <R extends object>(statement: SQL): Promise<readonly R[]> => {
      const { text, values } = compile(statement);
      return (await client.query<R & Record<string, unknown>>(text, values as unknown[])).rows;
    };
    const read = async function* (statement: SQL): AsyncIterable<readonly string[]> {
      await query(sql`declare account_rows_read no scroll cursor for ${statement}`);
      for (;;) {
        const rows = await query<{ json: string }>(sql`fetch ${sql.literal(batchSize)} from account_rows_read`);
        if (rows.length > 0) yield rows.map(({ json }) => json);
        if (rows.length < batchSize) break;
      }
      await query(sql`close account_rows_read`);
    };
    try {
      await client.query("begin isolation level repeatable read");
      await query(sql`select set_config('idle_in_transaction_session_timeout', ${sql.value(idleTimeout)}, true)`);
      const [row] = await query<{ plan: readonly PlannedRows[] }>(sql`
        select mainstay.account_plan(${sql.value(userId)}, ${sql.value(erasedTables)}::text[]) as plan`);
      return {
        tables: (row?.plan ?? []).filter(({ schema }) => !ownSchemas.includes(schema)),
        rows: ({ schema, table, action }) =>
          read(sql`
            select to_jsonb(t)::text as json from ${sql.identifier(schema, table)} t
            join pg_temp.account_rows r on r.relation = t.tableoid and r.row_id = t.ctid
            where r.fate = ${sql.literal(action)}`),
        auditLog: () =>
          read(sql`
            select json_build_object('created_at', e.created_at, 'action', e.payload -> 'action',
              'ip_address', e.ip_address, 'traits', e.payload -> 'traits')::text as json
            from auth.audit_log_entries e
            where e.payload ->> 'actor_id' = ${sql.literal(userId)}
              or e.payload -> 'traits' ->> 'user_id' = ${sql.literal(userId)} order by e.created_at, e.id`),
        async own() {
          const [own] = await query<{ sessions: string; passkeys: string }>(sql`
            select
              coalesce((select json_agg(json_build_object('id', s.id, 'created_at', s.created_at, 'aal', s.aal,
                  'refreshed_at', s.refreshed_at at time zone 'UTC', 'user_agent', s.user_agent, 'ip', host(s.ip))
                order by s.created_at) from auth.sessions s where s.user_id = ${sql.value(userId)}), '[]')::text as sessions,
              coalesce((select json_agg(json_build_object('id', c.id, 'friendly_name', c.friendly_name,
                  'created_at', c.created_at, 'last_used_at', c.last_used_at)
                order by c.created_at) from auth.webauthn_credentials c where c.user_id = ${sql.value(userId)}), '[]')::text
                as passkeys`);
          return own ?? { sessions: "[]", passkeys: "[]" };
        },
        async close() {
          await client.query("rollback").catch(() => {});
          await client.end().catch(() => {});
        },
      };
    } catch (error) {
      await client.end().catch(() => {});
      throw error;
    }
  },
};
