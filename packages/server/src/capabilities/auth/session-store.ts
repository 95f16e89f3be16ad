import { type SQL, sql } from "pg-sql2";
import type { Queryable } from "../../platform/postgres/database.ts";
import type { AuthenticationMethod } from "./user.ts";

export interface SessionRow {
  readonly id: string;
  readonly userId: string;
  readonly aal: string;
  /** Newest first. */
  readonly amr: readonly AuthenticationMethod[];
  /** Seconds since it began, and since it was last refreshed, by the database's clock. */
  readonly ageSeconds: number;
  readonly idleSeconds: number;
  /** True when `not_after` has passed. */
  readonly isOver: boolean;
}

export interface RefreshTokenRow {
  readonly id: string;
  /** As the column has it: a hash, or the token itself in rows that came from elsewhere. */
  readonly stored: string;
  readonly parent: string | null;
  readonly isRevoked: boolean;
  readonly sessionId: string;
  readonly userId: string;
  /** Since it was used. */
  readonly revokedForSeconds: number;
}

/** Where a session was opened or refreshed from. */
export interface Origin {
  readonly userAgent: string | null;
  /** `null` when it is no IP address. */
  readonly ip: string | null;
}

const selectToken = sql`
  select t.id::text as id, t.token as stored, t.parent, coalesce(t.revoked, false) as "isRevoked",
    t.session_id as "sessionId", t.user_id as "userId",
    extract(epoch from clock_timestamp() - coalesce(t.updated_at, t.created_at))::float8 as "revokedForSeconds"
  from auth.refresh_tokens t`;

const selectSession = sql`
  select s.id, s.user_id as "userId", coalesce(s.aal::text, 'aal1') as aal,
    coalesce(s.not_after <= now(), false) as "isOver",
    extract(epoch from clock_timestamp() - s.created_at)::float8 as "ageSeconds",
    extract(epoch from clock_timestamp() - coalesce(s.refreshed_at at time zone 'UTC', s.created_at))::float8
      as "idleSeconds",
    coalesce((
      select json_agg(json_build_object(
        'method', a.authentication_method, 'timestamp', extract(epoch from a.updated_at)::bigint
      ) order by a.updated_at desc)
      from auth.mfa_amr_claims a where a.session_id = s.id
    ), '[]') as amr
  from auth.sessions s`;

/** All SQL about sessions and refresh tokens. */
export const sessionStore = {
  /**
   * Opens a session, unless the password (or its absence) is no longer the one that was verified: a change that came between
   * the two wins (threat A22). One statement. @returns false when it lost
   */
  async open(
    db: Queryable,
    session: {
      readonly id: string;
      readonly userId: string;
      readonly passwordHash: string | null;
      readonly method: string;
      readonly aal: "aal1" | "aal2";
      readonly storedToken: string;
      readonly origin: Origin;
    },
  ): Promise<boolean> {
    const rows = await db.query(sql`
      with verified as (
        update auth.users set last_sign_in_at = now(), updated_at = now()
        where id = ${sql.value(session.userId)}
          and nullif(encrypted_password, '') is not distinct from ${sql.value(session.passwordHash)}::text
        returning id
      ), opened as (
        insert into auth.sessions (id, user_id, aal, created_at, updated_at, user_agent, ip)
        select ${sql.value(session.id)}, id, ${sql.value(session.aal)}::auth.aal_level, now(), now(), ${sql.value(session.origin.userAgent)},
          ${sql.value(session.origin.ip)}::inet
        from verified returning id, user_id
      ), proven as (
        insert into auth.mfa_amr_claims (id, session_id, authentication_method, created_at, updated_at)
        select gen_random_uuid(), id, ${sql.value(session.method)}, now(), now() from opened
      ), seen as (
        update auth.identities set last_sign_in_at = now(), updated_at = now()
        where user_id = (select user_id from opened) and provider in ('email', 'phone')
      )
      insert into auth.refresh_tokens (instance_id, token, user_id, session_id, revoked, created_at, updated_at)
      select '00000000-0000-0000-0000-000000000000', ${sql.value(session.storedToken)}, user_id, id, false, now(), now()
      from opened returning id`);
    return rows.length === 1;
  },

  async find(db: Queryable, id: string): Promise<SessionRow | null> {
    const [row] = await db.query<SessionRow>(sql`${selectSession} where s.id = ${sql.value(id)}`);
    return row ?? null;
  },

  /** Holds the session for the rest of the transaction, at most `timeoutMs` long in coming (SQLSTATE 55P03). */
  async lock(tx: Queryable, id: string, timeoutMs: number): Promise<SessionRow | null> {
    await tx.query(sql`select set_config('lock_timeout', ${sql.value(String(timeoutMs))}, true)`);
    const locked = await tx.query(sql`select id from auth.sessions where id = ${sql.value(id)} for update`);
    // Read again by a statement that began after the lock was had: the first one's snapshot may be older.
    return locked.length === 0 ? null : sessionStore.find(tx, id);
  },

  /** By any of the forms a token may be stored in. */
  async findToken(db: Queryable, forms: readonly string[]): Promise<RefreshTokenRow | null> {
    const [row] = await db.query<RefreshTokenRow>(sql`
      ${selectToken} where t.token = any (${sql.value(forms)}::text[]) and t.session_id is not null limit 1`);
    return row ?? null;
  },

  /** The session's token that was not used yet. */
  async activeToken(db: Queryable, sessionId: string): Promise<RefreshTokenRow | null> {
    const [row] = await db.query<RefreshTokenRow>(sql`
      ${selectToken} where t.session_id = ${sql.value(sessionId)} and t.revoked is not true order by t.id desc limit 1`);
    return row ?? null;
  },

  /** Uses `token` up and puts its successor in its place, and notes who came for it. */
  async rotate(
    tx: Queryable,
    token: RefreshTokenRow,
    userId: string,
    successor: { readonly stored: string; readonly parent: string },
    origin: Origin,
  ): Promise<void> {
    await tx.query(sql`
      with used as (
        update auth.refresh_tokens set revoked = true, updated_at = clock_timestamp() where id = ${sql.value(token.id)}
      )
      insert into auth.refresh_tokens (instance_id, token, user_id, session_id, parent, revoked, created_at, updated_at)
      values ('00000000-0000-0000-0000-000000000000', ${sql.value(successor.stored)}, ${sql.value(userId)},
        ${sql.value(token.sessionId)}, ${sql.value(successor.parent)}, false, now(), now())`);
    await sessionStore.touch(tx, token.sessionId, origin);
  },

  async touch(tx: Queryable, id: string, origin: Origin): Promise<void> {
    await tx.query(sql`
      update auth.sessions set refreshed_at = now() at time zone 'UTC', updated_at = now(),
        user_agent = ${sql.value(origin.userAgent)}, ip = ${sql.value(origin.ip)}::inet
      where id = ${sql.value(id)}`);
  },

  /** Ends it: its refresh tokens go with it. */
  async end(db: Queryable, id: string): Promise<void> {
    await db.query(sql`delete from auth.sessions where id = ${sql.value(id)}`);
  },

  /** Ends all of a user's sessions, or all but one. */
  async endAll(db: Queryable, userId: string, exceptId: string | null = null): Promise<void> {
    const others: SQL = exceptId === null ? sql`true` : sql`id <> ${sql.value(exceptId)}`;
    await db.query(sql`delete from auth.sessions where user_id = ${sql.value(userId)} and ${others}`);
  },
};
