import { sql } from "pg-sql2";
import { parseLsn } from "../../platform/changes/index.ts";
import type { Queryable } from "../../platform/postgres/database.ts";
import type { Delivery, DeliveryAttempt, Webhook } from "./types.ts";

type Db = Pick<Queryable, "query">;

/** Told when a webhook has come, gone or become another. */
export const webhooksNews = "mainstay_webhooks";

/** A message that is to be kept for its delivery. */
export interface NewDelivery {
  readonly id: string;
  readonly webhookId: string;
  readonly eventId: string;
  readonly body: string;
  readonly jobId: string;
}

/** What a delivery needs to be made. */
export interface DueDelivery {
  readonly id: string;
  readonly body: string;
  readonly state: Delivery["state"];
  readonly webhookId: string;
  readonly name: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number | null;
  readonly isEnabled: boolean;
  readonly disabledReason: string | null;
}

/** What came of an attempt. */
export interface Attempted {
  readonly status: number | null;
  readonly durationMs: number;
  readonly error: string | null;
  readonly answer: string | null;
}

const columns = sql`w.id, w.name, w.url, w.table_schema as "schema", w.table_name as "table", w.operations, w.filter, w.columns, w.headers,
  w.timeout_ms as "timeoutMs", w.is_enabled as "isEnabled", w.disabled_reason as "disabledReason",
  to_jsonb(w.failing_since) #>> '{}' as "failingSince", w.since::text as since`;

type Row = Omit<Webhook, "since"> & { readonly since: string };
const webhookOf = (row: Row): Webhook => ({ ...row, since: parseLsn(row.since) });

/** All SQL about webhooks. Times are the database's. */
export const webhooksStore = {
  async hasWebhooks(db: Db): Promise<boolean> {
    const [row] = await db.query<{ any: boolean }>(sql`select exists (select from mainstay.webhooks) as "any"`);
    return row!.any;
  },

  /** Whether the reader has its place in the log, or this database has none to read. */
  async isEnrolled(db: Db): Promise<boolean> {
    const [row] = await db.query<{ isEnrolled: boolean }>(sql`
      select current_setting('wal_level') <> 'logical'
        or exists (select from mainstay.log_cursors where name = 'webhooks') as "isEnrolled"`);
    return row!.isEnrolled;
  },

  async enabled(db: Db): Promise<readonly Webhook[]> {
    return (await db.query<Row>(sql`select ${columns} from mainstay.webhooks w where w.is_enabled`)).map(webhookOf);
  },

  async all(db: Db): Promise<readonly Webhook[]> {
    return (await db.query<Row>(sql`select ${columns} from mainstay.webhooks w order by w.name`)).map(webhookOf);
  },

  async named(db: Db, name: string): Promise<Webhook | null> {
    const [row] = await db.query<Row>(sql`
      select ${columns} from mainstay.webhooks w where w.name = ${sql.value(name)}`);
    return row === undefined ? null : webhookOf(row);
  },

  /** @returns whether it was on */
  async disable(db: Db, id: string, reason: string): Promise<boolean> {
    const rows = await db.query(sql`
      update mainstay.webhooks set is_enabled = false, disabled_reason = ${sql.value(reason)}, updated_at = clock_timestamp()
      where id = ${sql.value(id)}::uuid and is_enabled returning 1`);
    return rows.length > 0;
  },

  /** What is asked of a table besides what the log says: its primary key, and the partitioned tables it is a part of. */
  async tableFacts(
    db: Db,
    oid: number,
  ): Promise<{
    readonly primaryKey: readonly string[];
    readonly names: readonly { readonly schema: string; readonly table: string }[];
  }> {
    const [row] = await db.query<{ primaryKey: string[]; names: { schema: string; table: string }[] }>(sql`
      with recursive above (oid) as (
        select ${sql.value(oid)}::oid
        union
        select i.inhparent from above a join pg_catalog.pg_inherits i on i.inhrelid = a.oid
      )
      select array(
          select a.attname::text from pg_catalog.pg_index i
          cross join lateral unnest(i.indkey::int2[]) with ordinality as k (attnum, n)
          join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
          where i.indrelid = ${sql.value(oid)}::oid and i.indisprimary order by k.n
        ) as "primaryKey",
        coalesce((
          select jsonb_agg(jsonb_build_object('schema', n.nspname, 'table', c.relname))
          from above a join pg_catalog.pg_class c on c.oid = a.oid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        ), '[]') as names`);
    return row!;
  },

  async put(tx: Db, deliveries: readonly NewDelivery[]): Promise<void> {
    await tx.query(sql`
      insert into mainstay.webhook_deliveries (id, webhook_id, event_id, body, job_id)
      select d.id, d."webhookId", d."eventId", d.body, d."jobId"
      from jsonb_to_recordset(${sql.json(deliveries)}::jsonb) as d (id uuid, "webhookId" uuid, "eventId" text, body text, "jobId" uuid)
      join mainstay.webhooks w on w.id = d."webhookId"
      on conflict (webhook_id, event_id) do nothing`);
  },

  async due(db: Db, id: string): Promise<DueDelivery | null> {
    const [row] = await db.query<DueDelivery>(sql`
      select d.id, d.body, d.state, w.id as "webhookId", w.name, w.url, w.headers, w.timeout_ms as "timeoutMs",
        w.is_enabled as "isEnabled", w.disabled_reason as "disabledReason"
      from mainstay.webhook_deliveries d join mainstay.webhooks w on w.id = d.webhook_id
      where d.id = ${sql.value(id)}::uuid`);
    return row ?? null;
  },

  /** Writes an attempt down, and what it means for its delivery and its webhook. @returns for how long the webhook has failed, in ms; 0: it works */
  async attempted(
    tx: Db,
    { id, webhookId }: Pick<DueDelivery, "id" | "webhookId">,
    { status, durationMs, error, answer }: Attempted,
    state: Delivery["state"],
  ): Promise<number> {
    const isGood = state === "delivered";
    const [row] = await tx.query<{ failingMs: number | null }>(sql`
      with written as (
        insert into mainstay.webhook_attempts (delivery_id, status, duration_ms, error, answer)
        values (${sql.value(id)}::uuid, ${sql.value(status)}::int, ${sql.value(Math.round(durationMs))}::int, ${sql.value(error)}, ${sql.value(answer)})
      ), counted as (
        update mainstay.webhook_deliveries
        set attempts = attempts + 1, state = ${sql.value(state)}, last_status = ${sql.value(status)}::int, last_error = ${sql.value(error)},
          finished_at = case when ${sql.value(state)} <> 'pending' then clock_timestamp() end
        where id = ${sql.value(id)}::uuid
      ), seen as (
        -- Only where it changes: all deliveries of a webhook meet in this row.
        update mainstay.webhooks
        set failing_since = case when ${sql.value(isGood)}::boolean then null else clock_timestamp() end
        where id = ${sql.value(webhookId)}::uuid and (failing_since is null) <> ${sql.value(isGood)}::boolean
      )
      select extract(epoch from clock_timestamp() - w.failing_since)::float8 * 1000 as "failingMs"
      from mainstay.webhooks w where w.id = ${sql.value(webhookId)}::uuid`);
    return isGood ? 0 : (row?.failingMs ?? 0);
  },

  async giveUp(db: Db, id: string, reason: string): Promise<void> {
    await db.query(sql`
      update mainstay.webhook_deliveries set state = 'failed', last_error = ${sql.value(reason)}, finished_at = clock_timestamp()
      where id = ${sql.value(id)}::uuid and state = 'pending'`);
  },

  secrets(
    db: Db,
    webhookId: string,
  ): Promise<readonly { readonly id: string; readonly sealed: Buffer | null; readonly expiresAt: string | null }[]> {
    return db.query(sql`
      select id, sealed, to_jsonb(expires_at) #>> '{}' as "expiresAt" from mainstay.webhook_secrets
      where webhook_id = ${sql.value(webhookId)}::uuid and (expires_at is null or expires_at > clock_timestamp())
      order by created_at desc`);
  },

  async fillSecret(db: Db, id: string, sealed: Buffer): Promise<void> {
    await db.query(sql`
      update mainstay.webhook_secrets set sealed = decode(${sql.value(sealed.toString("hex"))}, 'hex')
      where id = ${sql.value(id)}::uuid and sealed is null`);
  },

  /** The newest first. */
  deliveries(
    db: Db,
    filter: { readonly webhook: string | null; readonly state: Delivery["state"] | null; readonly limit: number },
  ): Promise<readonly Delivery[]> {
    return db.query<Delivery>(sql`
      select d.id, w.name as webhook, d.event_id as "eventId", d.state, d.attempts, d.last_status as "lastStatus",
        d.last_error as "lastError", to_jsonb(d.created_at) #>> '{}' as "createdAt", to_jsonb(d.finished_at) #>> '{}' as "finishedAt"
      from mainstay.webhook_deliveries d join mainstay.webhooks w on w.id = d.webhook_id
      where (${sql.value(filter.webhook)}::text is null or w.name = ${sql.value(filter.webhook)})
        and (${sql.value(filter.state)}::text is null or d.state = ${sql.value(filter.state)})
      order by d.created_at desc, d.id limit ${sql.value(filter.limit)}`);
  },

  attempts(db: Db, deliveryId: string): Promise<readonly DeliveryAttempt[]> {
    return db.query<DeliveryAttempt>(sql`
      select to_jsonb(a.at) #>> '{}' as at, a.status, a.duration_ms as "durationMs", a.error, a.answer
      from mainstay.webhook_attempts a where a.delivery_id = ${sql.value(deliveryId)}::uuid order by a.id`);
  },

  /** Which are over and can be sent again, locked until the transaction ends, the oldest first. */
  async replayable(
    tx: Db,
    which:
      | { readonly id: string }
      | { readonly webhook: string | null; readonly sinceMs: number; readonly limit: number },
  ): Promise<readonly string[]> {
    const rows =
      "id" in which
        ? await tx.query<{ id: string }>(sql`
            select d.id from mainstay.webhook_deliveries d
            where d.id = ${sql.value(which.id)}::uuid and d.state <> 'pending' for update`)
        : await tx.query<{ id: string }>(sql`
            select d.id from mainstay.webhook_deliveries d join mainstay.webhooks w on w.id = d.webhook_id
            where d.state = 'failed' and d.created_at >= to_timestamp(${sql.value(which.sinceMs)}::float8 / 1000)
              and (${sql.value(which.webhook)}::text is null or w.name = ${sql.value(which.webhook)})
            order by d.created_at, d.id limit ${sql.value(which.limit)} for update of d`);
    return rows.map(({ id }) => id);
  },

  async again(tx: Db, deliveries: readonly { readonly id: string; readonly jobId: string }[]): Promise<void> {
    await tx.query(sql`
      update mainstay.webhook_deliveries d set state = 'pending', finished_at = null, job_id = n."jobId"
      from jsonb_to_recordset(${sql.json(deliveries)}::jsonb) as n (id uuid, "jobId" uuid) where d.id = n.id`);
  },

  /** Takes out what is over and too old, or too much. @param keep how many of what is over stay at most */
  async sweep(db: Db, limits: { readonly keepSeconds: number; readonly keep: number }): Promise<void> {
    await db.query(sql`
      delete from mainstay.webhook_deliveries d
      where d.state <> 'pending' and (
        d.created_at < now() - ${sql.value(limits.keepSeconds)}::float8 * interval '1 s'
        or d.created_at < (
          select o.created_at from mainstay.webhook_deliveries o where o.state <> 'pending'
          order by o.created_at desc offset ${sql.value(Math.max(0, limits.keep - 1))} limit 1
        )
        or ${sql.value(limits.keep)}::int = 0
      )`);
  },

  /** Says of messages whose job is over that they have failed: their node died in the last attempt. */
  async settleStranded(db: Db): Promise<void> {
    await db.query(sql`
      update mainstay.webhook_deliveries d
      set state = 'failed', finished_at = clock_timestamp(), last_error = coalesce(d.last_error, 'the server ended while it was delivered')
      where d.state = 'pending' and d.created_at < now() - interval '1 minute' and not exists (
        select from mainstay.jobs j where j.id = d.job_id and j.state < 4
      )`);
  },
};
