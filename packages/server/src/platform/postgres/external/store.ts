import type pg from "pg";
import { compile, sql } from "pg-sql2";
import { type ExternalFacts, neededRoles } from "./requirements.ts";

/** Everything we want to know, in one statement that any user may run on PostgreSQL 9.6 and newer, so that an old one still says its version. */
export async function readFacts(client: pg.Client): Promise<ExternalFacts> {
  const names = sql.value([...neededRoles]);
  const { text, values } = compile(sql`
    select current_setting('server_version') as "version",
           current_user::text as "user",
           current_database()::text as "database",
           pg_encoding_to_char(d.encoding)::text as "encoding",
           current_setting('wal_level') as "walLevel",
           coalesce(current_setting('max_slot_wal_keep_size', true), '-1') as "maxSlotWalKeepSize",
           pg_is_in_recovery() as "isReplica",
           r.rolsuper as "isSuperuser",
           r.rolcreaterole as "canCreateRoles",
           r.rolreplication as "canReplicate",
           r.rolbypassrls as "bypassesRowSecurity",
           has_database_privilege(current_database(), 'create') as "canCreateSchemas",
           array(select rolname::text from pg_roles where rolname = any(${names}::text[]) order by 1) as "existingRoles",
           array(select rolname::text from pg_roles
                  where rolname = any(${names}::text[]) and pg_has_role(current_user, oid, 'member') order by 1) as "usableRoles",
           array(select name::text from pg_available_extensions order by 1) as "availableExtensions",
           current_setting('max_connections')::int as "connections"
      from pg_roles r, pg_database d
     where r.rolname = current_user and d.datname = current_database()`);
  const { rows } = await client.query<ExternalFacts>(text, values as unknown[]);
  return rows[0]!;
}
