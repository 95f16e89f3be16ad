import { type SQL, sql } from "pg-sql2";

/** A timestamptz as text: RFC 3339, UTC, microseconds. `null` stays `null`. */
export const rfc3339 = (time: SQL): SQL => sql`to_char(${time} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

/** A value as jsonb. */
export const jsonb = (value: unknown): SQL => sql`${sql.value(JSON.stringify(value))}::jsonb`;
