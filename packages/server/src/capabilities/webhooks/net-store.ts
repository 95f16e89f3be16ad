import { sql } from "pg-sql2";
import type { Queryable } from "../../platform/postgres/database.ts";

type Db = Pick<Queryable, "query">;

/** A request that `net.http_get` and its like have kept. */
export interface NetRequest {
  readonly id: string;
  readonly method: "GET" | "POST" | "DELETE";
  readonly url: string;
  readonly headers: Readonly<Record<string, unknown>> | null;
  readonly body: Buffer | null;
  readonly timeoutMs: number;
  /** Attempts that have failed. */
  readonly tries: number;
}

/** What came of it, as `net._http_response` has it. */
export interface NetResponse {
  readonly status: number | null;
  readonly contentType: string | null;
  readonly headers: Readonly<Record<string, string>> | null;
  readonly content: string | null;
  readonly isTimedOut: boolean;
  readonly error: string | null;
}

/** All SQL about requests that SQL makes. */
export const netStore = {
  /** Whether the schema is ours: where pg_net itself is, it sends them. */
  async isOurs(db: Db): Promise<boolean> {
    const [row] = await db.query<{ isOurs: boolean }>(sql`
      select exists (
        select from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'net' and c.relname = 'http_request_queue' and a.attname = 'tries' and not a.attisdropped
      ) as "isOurs"`);
    return row!.isOurs;
  },

  async find(db: Db, id: string): Promise<NetRequest | null> {
    const [row] = await db.query<NetRequest>(sql`
      select id::text as id, upper(method) as method, url, headers, body, timeout_milliseconds as "timeoutMs", tries::int as tries
      from net.http_request_queue where id = ${sql.value(id)}::bigint`);
    return row ?? null;
  },

  async failedTry(db: Db, id: string): Promise<void> {
    await db.query(sql`update net.http_request_queue set tries = tries + 1 where id = ${sql.value(id)}::bigint`);
  },

  /** The request is over: its answer takes its place. */
  async answer(tx: Db, id: string, response: NetResponse): Promise<void> {
    await tx.query(sql`
      with gone as (delete from net.http_request_queue where id = ${sql.value(id)}::bigint returning id)
      insert into net._http_response (id, status_code, content_type, headers, content, timed_out, error_msg)
      select id, ${sql.value(response.status)}::int, ${sql.value(response.contentType)},
        ${sql.value(response.headers === null ? null : JSON.stringify(response.headers))}::jsonb, ${sql.value(response.content)},
        ${sql.value(response.isTimedOut)}::boolean, ${sql.value(response.error)}
      from gone`);
  },

  async sweep(db: Db, ttlSeconds: number): Promise<void> {
    await db.query(sql`
      delete from net._http_response where created < now() - ${sql.value(ttlSeconds)}::float8 * interval '1 s'`);
  },
};
