import { type SQL, sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { rfc3339 } from "../../../platform/postgres/sql-fragments.ts";

export interface InboxMail {
  readonly from: { readonly address: string; readonly name: string };
  readonly subject: string;
  readonly html: string;
  readonly text: string;
  readonly messageId: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Which of our mails it is: `confirmation`, `recovery` … */
  readonly template: string;
}

export interface InboxSms {
  readonly body: string;
  readonly channel: string;
  readonly purpose: string;
}

export interface InboxEntry {
  readonly id: string;
  readonly kind: "mail" | "sms";
  readonly to: string;
  readonly receivedAt: string;
  readonly isRead: boolean;
  readonly content: InboxMail | InboxSms;
}

const columns = sql`
  id, kind, recipient as "to", is_read as "isRead",
  ${rfc3339(sql`received_at`)} as "receivedAt"`;

/** All SQL of the inbox. */
export const inboxStore = {
  /** Keeps a message once, and lets the oldest go that are too many or too much. */
  async keep(
    db: Queryable,
    entry: Pick<InboxEntry, "id" | "kind" | "to" | "content">,
    limits: { readonly messages: number; readonly bytes: number },
  ): Promise<void> {
    const text = JSON.stringify(entry.content).replaceAll("\\u0000", "\\ufffd");
    await db.query(sql`
      insert into mainstay.inbox (id, kind, recipient, size_bytes, content)
      values (${sql.value(entry.id)}, ${sql.value(entry.kind)}, ${sql.value(entry.to)},
        ${sql.value(Buffer.byteLength(text))}, ${sql.value(text)}::jsonb)
      on conflict (id) do nothing`);
    await db.query(sql`
      delete from mainstay.inbox where id in (
        select id from (
          select id, row_number() over newest as place, sum(size_bytes) over newest as bytes
          from mainstay.inbox window newest as (order by sort desc)
        ) kept
        where place > ${sql.value(limits.messages)} or (bytes > ${sql.value(limits.bytes)} and place > 1)
      )`);
  },

  /** Newest first. `content` without the mail's HTML: lists do not show it. */
  list(
    db: Queryable,
    wish: {
      readonly to: string | null;
      readonly kind: string | null;
      readonly limit: number;
    },
  ): Promise<readonly InboxEntry[]> {
    const conditions: SQL[] = [sql`true`];
    if (wish.to !== null) conditions.push(sql`recipient = ${sql.value(wish.to)}`);
    if (wish.kind !== null) {
      conditions.push(sql`(kind = ${sql.value(wish.kind)} or content ->> 'template' = ${sql.value(wish.kind)})`);
    }
    return db.query<InboxEntry>(sql`
      select ${columns}, content - 'html' as content
      from mainstay.inbox where ${sql.join(conditions, " and ")}
      order by sort desc limit ${sql.value(wish.limit)}`);
  },

  async find(db: Queryable, id: string): Promise<InboxEntry | null> {
    const [entry] = await db.query<InboxEntry>(
      sql`select ${columns}, content from mainstay.inbox where id = ${sql.value(id)}`,
    );
    return entry ?? null;
  },

  async markRead(db: Queryable, id: string): Promise<void> {
    await db.query(sql`update mainstay.inbox set is_read = true where id = ${sql.value(id)} and not is_read`);
  },

  async remove(db: Queryable, id: string): Promise<boolean> {
    return (await db.query(sql`delete from mainstay.inbox where id = ${sql.value(id)} returning id`)).length > 0;
  },

  async clear(db: Queryable): Promise<void> {
    await db.query(sql`delete from mainstay.inbox`);
  },
};
