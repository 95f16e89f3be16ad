import type { Principal } from "../../../kernel/principal.ts";
import { asCaller } from "../../../platform/postgres/caller.ts";
import type { Session } from "../../../platform/postgres/session/types.ts";
import { roomOf } from "../rooms.ts";
import { contentOf, type StoredBroadcast } from "./message-rows.ts";

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
      // one time: rows of a day are only ever added, so their places tell which came first.
      statement: {
        text: `
          with newest as (
            select id, event, payload::text as json, binary_payload as bytes,
              row_number() over (order by inserted_at desc, ctid desc) as place
            from realtime.messages
            where topic = $1 and private and extension = 'broadcast' and event is not null
              and inserted_at >= to_timestamp($2::float8 / 1000) at time zone 'UTC'
              and inserted_at < (now() + interval '1 minute') at time zone 'UTC'
              and coalesce(octet_length(payload::text), octet_length(binary_payload)) <= $4::int
            order by inserted_at desc, ctid desc
            limit $3::int
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
      stored.push({ id: id!, published: { form: "bytes", room, event: event!, metadata, ...content } });
    }
    return stored;
  },
};
