import { sql } from "pg-sql2";
import type { Queryable } from "../../../../platform/postgres/database.ts";
import { prepare } from "../../../../platform/postgres/prepared.ts";
import { rfc3339 } from "../../../../platform/postgres/sql-fragments.ts";

/** An access key without its secret. */
export interface AccessKey {
  readonly id: string;
  readonly role: string;
  /** `null` for nobody's. */
  readonly userId: string | null;
  readonly description: string;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
}

export interface StoredKey {
  /** Hexadecimal. */
  readonly sealedSecret: string;
  readonly role: string;
  readonly userId: string | null;
}

/** A key of a user who is banned or gone is as good as none. */
const findKey = prepare<{ id: string }>(
  [
    ["sealedSecret", "text"],
    ["role", "text"],
    ["userId", "text"],
  ],
  (parameter) => sql`
    select encode(k.sealed_secret, 'hex') as "sealedSecret", k.role, k.user_id::text as "userId"
    from mainstay.s3_access_keys k
    where k.id = ${parameter("id")} and (
      k.user_id is null
      or exists (select from auth.users u where u.id = k.user_id and u.deleted_at is null
        and (u.banned_until is null or u.banned_until <= now())))`,
);

/** All SQL about access keys. */
export const keysStore = {
  /** Asked with every request: a key that is revoked is of no use on any node from that moment. */
  async find(db: Pick<Queryable, "execute">, id: string): Promise<StoredKey | null> {
    const [row] = await db.execute<StoredKey, { id: string }>(findKey, { id });
    return row ?? null;
  },

  async list(db: Pick<Queryable, "query">): Promise<readonly AccessKey[]> {
    return db.query<AccessKey>(sql`
      select k.id, k.role, k.user_id::text as "userId", k.description, ${rfc3339(sql`k.created_at`)} as "createdAt"
      from mainstay.s3_access_keys k order by k.created_at, k.id`);
  },

  async add(
    db: Pick<Queryable, "query">,
    key: Pick<AccessKey, "id" | "role" | "userId" | "description"> & { readonly sealedSecret: Buffer },
  ): Promise<void> {
    await db.query(sql`
      insert into mainstay.s3_access_keys (id, sealed_secret, role, user_id, description)
      values (${sql.value(key.id)}, decode(${sql.value(key.sealedSecret.toString("hex"))}, 'hex'), ${sql.value(key.role)},
        ${sql.value(key.userId)}::uuid, ${sql.value(key.description)})`);
  },

  /** @returns false when there was none */
  async remove(db: Pick<Queryable, "query">, id: string): Promise<boolean> {
    const rows = await db.query(
      sql`delete from mainstay.s3_access_keys k where k.id = ${sql.value(id)} returning k.id`,
    );
    return rows.length > 0;
  },

  /** Whether requests can run as it: a role that exists, and is no superuser's. */
  async isRole(db: Pick<Queryable, "query">, role: string): Promise<boolean> {
    const rows = await db.query(sql`
      select from pg_catalog.pg_roles r where r.rolname = ${sql.value(role)} and not r.rolsuper`);
    return rows.length > 0;
  },

  async isUser(db: Pick<Queryable, "query">, userId: string): Promise<boolean> {
    const rows = await db.query(sql`select from auth.users u where u.id = ${sql.value(userId)}::uuid`);
    return rows.length > 0;
  },
};
