import { type SQL, sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { rfc3339 } from "../../../platform/postgres/sql-fragments.ts";

/** One event, ready to be written. */
export interface NewEntry {
  readonly action: string;
  readonly logType: string;
  /** Whose account it is about. */
  readonly userId: string | null;
  /** Who did it, when that is not the user. */
  readonly actorName: string | null;
  readonly address: string;
  readonly traits: Readonly<Record<string, unknown>>;
}

/** As GoTrue's `/admin/audit` gives it. */
export interface StoredEntry {
  readonly id: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly created_at: string;
  readonly ip_address: string;
}

/** GoTrue's search scopes, and what in a payload they look at. */
export const searchScopes: Readonly<Record<string, readonly string[]>> = {
  author: ["actor_username", "actor_name"],
  action: ["action"],
  type: ["log_type"],
};

const instance = sql`'00000000-0000-0000-0000-000000000000'::uuid`;

/** Columns of `auth.audit_log_entries`, and what `entryValues` gives for them. */
export const entryColumns = sql`instance_id, id, payload, created_at, ip_address`;

/** A new entry in GoTrue's form, for an `insert` into `entryColumns`. `null` traits are left out. */
export const entryValues = (entry: {
  readonly action: SQL;
  readonly logType: SQL;
  readonly actorId: SQL;
  readonly actorUsername: SQL;
  readonly isViaSso: SQL;
  readonly traits: SQL;
  readonly address: SQL;
}): SQL => sql`
  ${instance}, gen_random_uuid(), json_strip_nulls(json_build_object(
    'action', ${entry.action},
    'actor_id', ${entry.actorId},
    'actor_username', ${entry.actorUsername},
    'actor_via_sso', ${entry.isViaSso},
    'log_type', ${entry.logType},
    'traits', (${entry.traits})
  )), clock_timestamp(), ${entry.address}`;

/** What a user is called in the log. */
export const usernameOf = (email: SQL, phone: SQL): SQL => sql`coalesce(nullif(${email}, ''), ${phone}, '')`;

/** All SQL about the audit log. */
export const auditStore = {
  /**
   * Adds an entry. The user's name is looked up by the same statement, with the same work when there is no such user (threat A16).
   * Somebody else's doing names them as the actor and the user in the traits, as GoTrue does.
   */
  async add(db: Pick<Queryable, "query">, entry: NewEntry): Promise<void> {
    const isOthers = entry.actorName !== null;
    await db.query(sql`
      insert into auth.audit_log_entries (${entryColumns})
      select ${entryValues({
        action: text(entry.action),
        logType: text(entry.logType),
        actorId: isOthers ? sql`${instance}::text` : sql`coalesce(${text(entry.userId)}, ${instance}::text)`,
        actorUsername: isOthers ? text(entry.actorName) : usernameOf(sql`u.email`, sql`u.phone`),
        isViaSso: isOthers ? sql`false` : sql`coalesce(u.is_sso_user, false)`,
        traits: sql`nullif(${text(JSON.stringify(entry.traits))}::jsonb || jsonb_strip_nulls(jsonb_build_object(
          'user_id', case when ${sql.value(isOthers)}::boolean then ${text(entry.userId)} end,
          'user_email', case when ${sql.value(isOthers)}::boolean then nullif(u.email, '') end,
          'user_phone', case when ${sql.value(isOthers)}::boolean then nullif(u.phone, '') end)), '{}')`,
        address: text(entry.address),
      })}
      from (select ${text(entry.userId)}::uuid as id) wanted left join auth.users u on u.id = wanted.id`);
  },

  /** Newest first. `search` names keys of the payload and what one of them is to contain, in any case. */
  async list(
    db: Pick<Queryable, "query">,
    page: { readonly page: number; readonly perPage: number },
    search: { readonly keys: readonly string[]; readonly text: string } | null,
  ): Promise<{ readonly entries: readonly StoredEntry[]; readonly total: number }> {
    const where =
      search === null
        ? sql`true`
        : sql`(${sql.join(
            search.keys.map(
              (key) =>
                sql`position(lower(${text(search.text)}) in lower(coalesce(e.payload ->> ${text(key)}, ''))) > 0`,
            ),
            " or ",
          )})`;
    const [count] = await db.query<{ total: number }>(sql`
      select count(*)::int as total from auth.audit_log_entries e where ${where}`);
    const entries = await db.query<StoredEntry>(sql`
      select e.id, e.payload, ${rfc3339(sql`e.created_at`)} as created_at,
        e.ip_address
      from auth.audit_log_entries e where ${where} order by e.created_at desc nulls last, e.id
      limit ${sql.value(page.perPage)} offset ${sql.value((page.page - 1) * page.perPage)}`);
    return { entries, total: count?.total ?? 0 };
  },

  /** Puts the retention in force: what is younger nobody can delete. `null`: for ever. */
  async setRetention(db: Pick<Queryable, "query">, days: number | null): Promise<void> {
    const retention: SQL = days === null ? sql`null` : sql`make_interval(days => ${sql.value(days)})`;
    await db.query(sql`
      insert into mainstay.audit_policy (retention) values (${retention})
      on conflict (id) do update set retention = excluded.retention
        where audit_policy.retention is distinct from excluded.retention`);
  },

  /** Deletes some of what is older than the retention. @returns how many entries */
  async sweep(db: Pick<Queryable, "query">, limit: number): Promise<number> {
    const rows = await db.query(sql`
      delete from auth.audit_log_entries where ctid = any (array(
        select e.ctid from auth.audit_log_entries e, mainstay.audit_policy p
        where e.created_at < now() - p.retention limit ${sql.value(limit)} for update of e skip locked))
      returning 1`);
    return rows.length;
  },
};

const text = (value: string | null): SQL => sql`${sql.value(value)}::text`;
