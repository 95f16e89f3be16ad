import type { Principal } from "../../../kernel/principal.ts";
import { asCaller } from "../../../platform/postgres/caller.ts";
import type { Param, Session, Statement } from "../../../platform/postgres/session/types.ts";
import { roomOf } from "../rooms.ts";
import { contentOf, type StoredBroadcast } from "./message-rows.ts";
import type { PublishedBytes } from "./published.ts";

/** Stored broadcasts. Every statement runs as the caller, under the policies on `realtime.messages` (threat R08). */
export const broadcastStore = {
  /**
   * The newest `limit` broadcasts of a private channel since `sinceMs` (Unix milliseconds), oldest first. Each row is judged by the policies of
   * now, so one that was sent before the caller's rights began is not among them where these say so.
   */
  async newest(
    session: Session,
    asked: {
      readonly who: Principal;
      readonly name: string;
      readonly sinceMs: number;
      readonly limit: number;
      readonly payloadBytes: number;
      /** Of all payloads; the newest comes in any case. */
      readonly totalBytes: number;
      readonly timeoutMs: number;
    },
  ): Promise<readonly StoredBroadcast[]> {
    const { who, name, sinceMs, limit, payloadBytes, totalBytes, timeoutMs } = asked;
    const { rows } = await session.fly({
      role: who.role,
      prologue: asCaller(who, {
        "realtime.topic": name,
        "request.headers": "{}",
        statement_timeout: String(timeoutMs),
      }),
      // Bounded above too, so that partitions made ahead are not searched. Times are stored in UTC (migration 0015). What one transaction sent has
      // one time: rows of a day are only ever added, so their places tell which came first. A table that is not ours may have no column expires_at
      // (migration 0019): its name then means the one beside it, which is null.
      statement: {
        text: `
          with newest as (
            select stored.* from (values (null::timestamp)) as without (expires_at) cross join lateral (
              select id, event, payload::text as json, binary_payload as bytes,
                row_number() over (order by inserted_at desc, ctid desc) as place
              from realtime.messages
              where topic = $1 and private and extension = 'broadcast' and event is not null
                and inserted_at >= to_timestamp($2::float8 / 1000) at time zone 'UTC'
                and inserted_at < (now() + interval '1 minute') at time zone 'UTC'
                and (expires_at is null or expires_at > now() at time zone 'UTC')
                and coalesce(octet_length(payload::text), octet_length(binary_payload)) <= $4::int
              order by inserted_at desc, ctid desc
              limit $3::int
            ) as stored
          ), counted as (
            select *, sum(coalesce(octet_length(json), octet_length(bytes))) over (order by place) as so_far from newest
          )
          select id::text, event, json, bytes::text from counted
          where place = 1 or so_far <= $5::bigint
          order by place desc`,
        values: [name, String(sinceMs), String(limit), String(payloadBytes), String(totalBytes)],
      },
      lane: "read",
      isRetryable: true,
      // A function that a policy calls may write.
      isRolledBack: true,
    });
    const room = roomOf(name, true);
    const stored: StoredBroadcast[] = [];
    for (const [id, event, payload, bytes] of rows.map((row) => row.map((value) => value?.toString() ?? null))) {
      const content = contentOf(payload, bytes);
      if (content === null) continue;
      const metadata = JSON.stringify({ replayed: true, id });
      stored.push({
        id: id!,
        expiresAtMs: null,
        published: { form: "bytes", room, event: event!, metadata, ...content },
      });
    }
    return stored;
  },

  /**
   * Stores a broadcast of a private channel. Resolves when it is committed, and not before. @returns false when it is larger than
   * `limitBytes` as it would be read again. Rejects with a DatabaseError when nothing is stored, 42501 when the caller may not; with a
   * Problem when PostgreSQL gave no answer, and then it may be stored or not.
   */
  async insert(
    session: Session,
    row: {
      readonly id: string;
      readonly who: Principal;
      readonly name: string;
      readonly published: PublishedBytes;
      readonly ttlSeconds: number | null;
      readonly limitBytes: number;
      readonly timeoutMs: number;
    },
  ): Promise<boolean> {
    const { who, name, timeoutMs } = row;
    const { commandTag } = await session.fly({
      role: who.role,
      prologue: asCaller(who, {
        "realtime.topic": name,
        "request.headers": "{}",
        statement_timeout: String(timeoutMs),
      }),
      statement: insertOf(row),
      lane: "write",
      isRetryable: false,
    });
    return commandTag === "INSERT 0 1";
  },
};

/** Without `returning`: who may write need not be able to read. */
function insertOf(row: Parameters<typeof broadcastStore.insert>[1]): Statement {
  const { id, name, published, ttlSeconds, limitBytes } = row;
  const { encoding, event, payload } = published;
  const values: Param[] = [
    id,
    name,
    event,
    encoding === "json" ? payload : null,
    encoding === "bytes" ? `\\x${payload.toString("hex")}` : null,
    String(limitBytes),
  ];
  // A table that is not ours may have no such column: then only what needs it fails.
  const [column, end] =
    ttlSeconds === null
      ? ["", ""]
      : [", expires_at", ", (now() + make_interval(secs => $7::float8)) at time zone 'UTC'"];
  if (ttlSeconds !== null) values.push(String(ttlSeconds));
  return {
    text: `
      insert into realtime.messages (id, topic, extension, event, private, payload, binary_payload${column})
      select $1::uuid, $2, 'broadcast', $3, true, $4::jsonb, $5::bytea${end}
      where $4 is null or octet_length(($4::jsonb)::text) <= $6::int`,
    values,
  };
}
