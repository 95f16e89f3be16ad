import { type SQL, sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { rfc3339 } from "../../../platform/postgres/sql-fragments.ts";
import type { AuthSettings } from "../context.ts";

/** A session as its owner sees it. Times are RFC 3339 UTC texts with microseconds. */
export interface ListedSession {
  readonly id: string;
  readonly createdAt: string;
  readonly refreshedAt: string | null;
  /** The earliest of its own end and of what the settings allow; `null` for no end. */
  readonly notAfter: string | null;
  readonly userAgent: string | null;
  readonly ip: string | null;
  readonly aal: string;
  readonly tag: string | null;
}

/** How long sessions may last, in seconds; 0 for no end. */
export interface Lifetimes {
  readonly timeboxSeconds: number;
  readonly inactivitySeconds: number;
}

export const lifetimesOf = (
  settings: Pick<AuthSettings, "sessionTimeboxSeconds" | "sessionInactivitySeconds">,
): Lifetimes => ({
  timeboxSeconds: settings.sessionTimeboxSeconds,
  inactivitySeconds: settings.sessionInactivitySeconds,
});

const after = (time: SQL, seconds: number): SQL =>
  seconds === 0 ? sql`null::timestamptz` : sql`${time} + make_interval(secs => ${sql.value(seconds)}::float8)`;

/** All SQL about sessions as things to look at and to end. */
export const sessionListStore = {
  /** Those that are not over, the one used last first. */
  async list(db: Queryable, userId: string, lifetimes: Lifetimes): Promise<readonly ListedSession[]> {
    const usedAt = sql`coalesce(s.refreshed_at at time zone 'UTC', s.created_at)`;
    return db.query<ListedSession>(sql`
      select s.id, ${rfc3339(sql`s.created_at`)} as "createdAt",
        ${rfc3339(sql`(s.refreshed_at at time zone 'UTC')`)} as "refreshedAt", ${rfc3339(sql`e.ends_at`)} as "notAfter",
        s.user_agent as "userAgent", host(s.ip) as ip, coalesce(s.aal::text, 'aal1') as aal, s.tag
      from auth.sessions s cross join lateral (
        select least(s.not_after, ${after(sql`s.created_at`, lifetimes.timeboxSeconds)},
          ${after(usedAt, lifetimes.inactivitySeconds)}) as ends_at
      ) e
      where s.user_id = ${sql.value(userId)} and coalesce(e.ends_at > now(), true)
      order by ${usedAt} desc nulls last, s.id limit 1000`);
  },

  /** @returns false when the user has no such session */
  async end(db: Queryable, userId: string, id: string): Promise<boolean> {
    const rows = await db.query(sql`
      delete from auth.sessions where id = ${sql.value(id)} and user_id = ${sql.value(userId)} returning id`);
    return rows.length === 1;
  },

  /**
   * Ends the user's other sessions of the kind `id` is of. GoTrue refuses their refreshes instead; ended they are out at once. Whoever
   * opens a session holds the user's row, so of two at once the later stays.
   */
  async endRivals(db: Queryable, userId: string, id: string, tags: readonly string[]): Promise<void> {
    // Without a kind, or with one nobody has heard of, it is of the first.
    const kindOf = (tag: SQL) =>
      tags.length === 0
        ? sql`''`
        : sql`coalesce((select t from unnest(${sql.value([...tags])}::text[]) t where t = ${tag}), ${sql.value(tags[0]!)})`;
    await db.query(sql`
      delete from auth.sessions s using auth.sessions mine
      where mine.id = ${sql.value(id)} and s.user_id = ${sql.value(userId)} and s.id <> mine.id
        and ${kindOf(sql`s.tag`)} = ${kindOf(sql`mine.tag`)}`);
  },
};
