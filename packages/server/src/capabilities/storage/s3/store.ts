import { compile, type SQL, sql } from "pg-sql2";
import type { Principal } from "../../../kernel/principal.ts";
import { asCaller } from "../../../platform/postgres/caller.ts";
import { type Columns, readRow } from "../../../platform/postgres/prepared.ts";
import type { Lane, Param, Session } from "../../../platform/postgres/session/types.ts";
import { sqlStateOf } from "../../../platform/postgres/sql-state.ts";
import type { StorageContext } from "../context.ts";
import type { Operation } from "../types.ts";
import { problems } from "./problems.ts";

/** A line of a listing: an object, or what several names begin with. */
export interface ListedLine {
  readonly isPrefix: boolean;
  readonly name: string;
  readonly sizeBytes: number | null;
  readonly etag: string | null;
  /** RFC 3339, UTC. */
  readonly modifiedAt: string | null;
  readonly ownerId: string | null;
  readonly version: string | null;
}

export interface ListOrder {
  readonly bucket: string;
  readonly prefix: string;
  /** `""` for none. */
  readonly delimiter: string;
  /** The name, or the common prefix, that the page before has ended with; `""` for none. */
  readonly after: string;
  readonly limit: number;
}

export interface ListedBucket {
  readonly id: string;
  /** RFC 3339, UTC. */
  readonly createdAt: string | null;
}

const lineColumns: Columns = [
  ["isPrefix", "flag"],
  ["name", "text"],
  ["sizeBytes", "number"],
  ["etag", "text"],
  ["modifiedAt", "time"],
  ["ownerId", "text"],
  ["version", "text"],
];

/** A statement as a caller: the text is ours, and always the same for the same question. */
async function asWhom<R extends object>(
  session: Session,
  who: Principal,
  operation: Operation,
  { columns, statement, lane }: { readonly columns: Columns; readonly statement: SQL; readonly lane: Lane },
): Promise<readonly R[]> {
  const { text, values } = compile(statement);
  try {
    const { rows } = await session.fly({
      role: who.role,
      prologue: asCaller(who, { "storage.operation": operation }),
      statement: { text, values: values as Param[] },
      lane,
      isRetryable: lane === "read",
    });
    return rows.map((row) => readRow<R>(columns, row));
  } catch (error) {
    throw sqlStateOf(error) === "42501" ? problems.accessDenied() : error;
  }
}

/** Names as PostgreSQL's array. */
const arrayOf = (names: readonly string[]): string =>
  `{${names.map((name) => `"${name.replace(/["\\]/g, "\\$&")}"`).join(",")}}`;

/** All SQL that runs as the callers of the S3 endpoint. Policies decide; what they hide is not there. */
export function s3Store({ session }: Pick<StorageContext, "session">) {
  return {
    /** Objects and common prefixes in byte order of their names. @throws Problem `AccessDenied` */
    async list(who: Principal, operation: Operation, order: ListOrder): Promise<readonly ListedLine[]> {
      const { bucket, prefix, delimiter, after, limit } = order;
      return asWhom(session, who, operation, {
        columns: lineColumns,
        lane: "read",
        statement: sql`
          select l.is_prefix, l.object_name, l.size_bytes, l.etag, l.modified_at at time zone 'UTC', l.owner_id, l.version
          from mainstay.s3_list(${sql.value(bucket)}, ${sql.value(prefix)}, ${sql.value(delimiter)}, ${sql.value(after)},
            ${sql.value(String(limit))}::integer) l`,
      });
    },

    /** Takes objects away. @returns of which the caller could see, and which of them are gone; others were not there for this caller */
    async remove(
      who: Principal,
      operation: Operation,
      bucket: string,
      names: readonly string[],
    ): Promise<readonly { readonly name: string; readonly isGone: boolean }[]> {
      return asWhom(session, who, operation, {
        columns: [
          ["name", "text"],
          ["isGone", "flag"],
        ],
        lane: "write",
        statement: sql`
          with gone as (
            delete from storage.objects o
            where o.bucket_id = ${sql.value(bucket)} and o.name = any (${sql.value(arrayOf(names))}::text[])
            returning o.name
          )
          select o.name, exists (select from gone g where g.name = o.name) as "isGone" from storage.objects o
          where o.bucket_id = ${sql.value(bucket)} and o.name = any (${sql.value(arrayOf(names))}::text[])`,
      });
    },

    async buckets(who: Principal): Promise<readonly ListedBucket[]> {
      return asWhom(session, who, "storage.s3.bucket.list", {
        columns: [
          ["id", "text"],
          ["createdAt", "time"],
        ],
        lane: "read",
        statement: sql`
          select b.id, b.created_at at time zone 'UTC' as "createdAt" from storage.buckets b order by b.id collate "C" limit 10000`,
      });
    },

    async hasBucket(who: Principal, operation: Operation, bucket: string): Promise<boolean> {
      const rows = await asWhom(session, who, operation, {
        columns: [["id", "text"]],
        lane: "read",
        statement: sql`select b.id from storage.buckets b where b.id = ${sql.value(bucket)}`,
      });
      return rows.length > 0;
    },

    /** @returns false when there is one of that name already, whoever may see it */
    async addBucket(who: Principal, bucket: string): Promise<boolean> {
      try {
        await asWhom(session, who, "storage.s3.bucket.create", {
          columns: [],
          lane: "write",
          statement: sql`
            insert into storage.buckets (id, name, owner_id) values (${sql.value(bucket)}, ${sql.value(bucket)}, ${sql.value(who.subject)})`,
        });
        return true;
      } catch (error) {
        if (sqlStateOf(error) === "23505") return false;
        throw error;
      }
    },

    /** @returns `not-empty` when objects are in it */
    async removeBucket(who: Principal, bucket: string): Promise<"removed" | "missing" | "not-empty"> {
      try {
        const rows = await asWhom(session, who, "storage.s3.bucket.delete", {
          columns: [["id", "text"]],
          lane: "write",
          statement: sql`delete from storage.buckets b where b.id = ${sql.value(bucket)} returning b.id`,
        });
        return rows.length > 0 ? "removed" : "missing";
      } catch (error) {
        if (sqlStateOf(error) === "23503") return "not-empty";
        throw error;
      }
    },
  };
}

export type S3Store = ReturnType<typeof s3Store>;
