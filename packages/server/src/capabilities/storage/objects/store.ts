import { sql } from "pg-sql2";
import type { Principal } from "../../../kernel/principal.ts";
import type { Database } from "../../../platform/postgres/database.ts";
import { type Columns, type ParameterOf, prepare } from "../../../platform/postgres/prepared.ts";
import type { Row, Session } from "../../../platform/postgres/session/types.ts";
import type { ObjectMetadata, Operation } from "../types.ts";
import { asStorageCaller, type CallerParameters, callerParameters } from "./context.ts";
import type { ObjectRow } from "./metadata.ts";
import type { Written } from "./types.ts";

/** What a row is to hold. */
export interface ObjectFacts {
  readonly bucketId: string;
  readonly name: string;
  readonly ownerId: string | null;
  readonly metadata: ObjectMetadata;
  readonly userMetadata: Readonly<Record<string, unknown>> | null;
  readonly isUpsert: boolean;
}

/** How a caller asks. */
export interface Asking {
  readonly session: Session;
  readonly who: Principal;
  readonly operation: Operation;
}

export interface Place {
  readonly bucketId: string;
  readonly name: string;
}

const iso = `'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'`;
const time = (column: string): string => `to_char(o.${column} at time zone 'UTC', ${iso})`;

const findText = `
  select o.id, o.version, o.owner_id, o.metadata, o.user_metadata, ${time("created_at")}, ${time("updated_at")}
  from storage.objects o where o.bucket_id = $1 and o.name = $2`;

/** The whole row in the names clients know (protocols: object row). */
const rowJson = `json_build_object(
  'name', o.name, 'bucket_id', o.bucket_id, 'owner', o.owner, 'owner_id', o.owner_id, 'version', o.version, 'id', o.id,
  'updated_at', ${time("updated_at")}, 'created_at', ${time("created_at")},
  'last_accessed_at', ${time("last_accessed_at")}, 'metadata', o.metadata, 'user_metadata', o.user_metadata)`;

const ownerUuid = "case when $4 ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then $4::uuid end";
const insertText = `
  insert into storage.objects as o (bucket_id, name, owner, owner_id, metadata, user_metadata, version)
  values ($1, $2, ${ownerUuid}, $4, $5::jsonb, $6::jsonb, $3)`;
/** As `mainstay.write_object` does it, so that what is tried is what is done. */
const upsertText = `${insertText}
  on conflict (bucket_id, name) do update set
    owner = case when excluded.owner_id is null then o.owner else excluded.owner end,
    owner_id = coalesce(excluded.owner_id, o.owner_id),
    metadata = excluded.metadata, user_metadata = excluded.user_metadata, version = excluded.version`;

const rowColumns: Columns = [
  ["id", "text"],
  ["version", "text"],
  ["ownerId", "text"],
  ["metadata", "json"],
  ["userMetadata", "json"],
  ["createdAt", "text"],
  ["updatedAt", "text"],
];
type RowBody = Omit<ObjectRow, "bucketId" | "name">;

const findAsServer = prepare<{ bucketId: string; name: string }>(
  rowColumns,
  (p) => sql`
    select o.id, o.version, o.owner_id as "ownerId", o.metadata, o.user_metadata as "userMetadata",
      mainstay.storage_time(o.created_at) as "createdAt", mainstay.storage_time(o.updated_at) as "updatedAt"
    from storage.objects o where o.bucket_id = ${p("bucketId")} and o.name = ${p("name")}`,
);

type WriteParameters = CallerParameters & {
  readonly bucketId: string;
  readonly name: string;
  readonly ownerId: string | null;
  readonly metadata: string;
  readonly userMetadata: string | null;
  readonly version: string;
  readonly isUpsert: string;
};
type PlainParameters = WriteParameters & { readonly blob: string; readonly sizeBytes: string; readonly md5: string };
const writtenColumns = sql`w.id, w.version, w.owner_id as "ownerId", w.metadata, w.user_metadata as "userMetadata",
  w.created_at as "createdAt", w.updated_at as "updatedAt"`;
const writeArguments = (p: ParameterOf<WriteParameters>) => sql`
  ${p("role")}, ${p("claims")}, ${p("subject")}, ${p("operation")}, ${p("searchPath")}, ${p("bucketId")}, ${p("name")},
  ${p("ownerId")}, ${p("metadata")}::jsonb, ${p("userMetadata")}::jsonb, ${p("version")}, ${p("isUpsert")}::boolean`;
const write = prepare<WriteParameters>(
  rowColumns,
  (p) => sql`select ${writtenColumns} from mainstay.write_object(${writeArguments(p)}) w`,
);
const writePlain = prepare<PlainParameters>(
  rowColumns,
  (p) => sql`
    select ${writtenColumns} from mainstay.write_plain_upload(
      ${p("blob")}::uuid, ${p("sizeBytes")}::bigint, decode(${p("md5")}, 'hex'), ${writeArguments(p)}) w`,
);

type MoveParameters = CallerParameters & {
  readonly fromBucket: string;
  readonly fromName: string;
  readonly toBucket: string;
  readonly toName: string;
};
const move = prepare<MoveParameters>(
  [["id", "text"]],
  (p) => sql`
    select m.id from mainstay.move_object(
      ${p("role")}, ${p("claims")}, ${p("subject")}, ${p("operation")}, ${p("searchPath")},
      ${p("fromBucket")}, ${p("fromName")}, ${p("toBucket")}, ${p("toName")}) m`,
);

const rowAsServer = prepare<{ bucketId: string; name: string }>(
  [["row", "json"]],
  (p) => sql`
    select json_build_object(
      'name', o.name, 'bucket_id', o.bucket_id, 'owner', o.owner, 'owner_id', o.owner_id, 'version', o.version, 'id', o.id,
      'updated_at', mainstay.storage_time(o.updated_at), 'created_at', mainstay.storage_time(o.created_at),
      'last_accessed_at', mainstay.storage_time(o.last_accessed_at), 'metadata', o.metadata,
      'user_metadata', o.user_metadata) as row
    from storage.objects o where o.bucket_id = ${p("bucketId")} and o.name = ${p("name")}`,
);

/** All SQL about single objects and lists of names. Rejects with PostgreSQL's own errors: `refusals.ts` says what they mean. */
export const objectStore = {
  /** As the caller sees it. */
  async find({ session, who, operation }: Asking, bucketId: string, name: string): Promise<ObjectRow | null> {
    const { rows } = await session.fly({
      role: who.role,
      prologue: asStorageCaller(who, operation),
      statement: { text: findText, values: [bucketId, name] },
      lane: "read",
      isRetryable: true,
    });
    return rows[0] === undefined ? null : { bucketId, name, ...readRow(rows[0]) };
  },

  async findAsServer(db: Database, bucketId: string, name: string): Promise<ObjectRow | null> {
    const [row] = await db.execute<RowBody, { bucketId: string; name: string }>(findAsServer, { bucketId, name });
    return row === undefined ? null : { ...row, bucketId, name };
  },

  /** Writes the row as the caller, with a version that nobody has, and takes it back. */
  async tryWrite({ session, who, operation }: Asking, facts: ObjectFacts, version: string): Promise<void> {
    const { bucketId, name, ownerId, metadata, userMetadata, isUpsert } = facts;
    await session.fly({
      role: who.role,
      prologue: asStorageCaller(who, operation),
      statement: {
        text: isUpsert ? upsertText : insertText,
        values: [bucketId, name, version, ownerId, JSON.stringify(metadata), jsonOrNull(userMetadata)],
      },
      // Not among reads: it may wait for somebody who writes the same name.
      lane: "write",
      isRetryable: true,
      isRolledBack: true,
    });
  },

  /** The row with these bytes, and the version kept. Rejects with SQLSTATE MST01 when the version is gone. */
  async write(
    db: Database,
    { session, who, operation }: Asking,
    facts: ObjectFacts,
    { version, sizeBytes, segment }: Written,
  ): Promise<ObjectRow> {
    const { bucketId, name } = facts;
    const values: WriteParameters = {
      ...callerParameters(session, who, operation),
      bucketId,
      name,
      ownerId: facts.ownerId,
      metadata: JSON.stringify(facts.metadata),
      userMetadata: jsonOrNull(facts.userMetadata),
      version,
      isUpsert: String(facts.isUpsert),
    };
    const [row] =
      segment === undefined
        ? await db.execute<RowBody, WriteParameters>(write, values)
        : await db.execute<RowBody, PlainParameters>(writePlain, {
            ...values,
            blob: segment.blobId,
            sizeBytes: String(sizeBytes),
            md5: segment.md5.toString("hex"),
          });
    return { ...row!, bucketId, name };
  },

  /** @returns its id; `null` when there is no such object for the caller */
  async move(db: Database, { session, who, operation }: Asking, from: Place, to: Place): Promise<string | null> {
    const [row] = await db.execute<{ id: string }, MoveParameters>(move, {
      ...callerParameters(session, who, operation),
      fromBucket: from.bucketId,
      fromName: from.name,
      toBucket: to.bucketId,
      toName: to.name,
    });
    return row?.id ?? null;
  },

  /** Deletes what the caller may delete of these names. @returns the rows that went, as a JSON list */
  async remove(
    { session, who, operation }: Asking,
    bucketId: string,
    names: readonly string[],
  ): Promise<readonly string[]> {
    const { rows } = await session.fly({
      role: who.role,
      prologue: asStorageCaller(who, operation),
      statement: {
        // In the index's order, so that two who delete the same names do not wait for each other.
        text: `
          delete from storage.objects o
          where o.bucket_id = $1 and o.name = any(array(select json_array_elements_text($2::json)))
          returning ${rowJson}`,
        values: [bucketId, JSON.stringify(names)],
      },
      lane: "write",
      isRetryable: false,
    });
    return rows.map(([json]) => json!.toString());
  },

  /** Deletes up to `limit` objects of a bucket that come after a name. @returns the last name looked at; `null` at the end */
  async empty(
    { session, who, operation }: Asking,
    bucketId: string,
    after: string,
    limit: number,
  ): Promise<string | null> {
    const { rows } = await session.fly({
      role: who.role,
      prologue: asStorageCaller(who, operation),
      statement: {
        text: `
          with page as materialized (
            select o.id, o.name from storage.objects o
            where o.bucket_id = $1 and o.name collate "C" > $2 order by o.name collate "C" limit $3::int
          ), gone as (
            delete from storage.objects o using page where o.id = page.id returning o.id
          )
          select max(page.name collate "C"), count(*) from page left join gone using (id)`,
        values: [bucketId, after, String(limit)],
      },
      lane: "write",
      isRetryable: false,
    });
    return rows[0]?.[0]?.toString() ?? null;
  },

  /** The whole row, in the names clients know. */
  async row(db: Database, { bucketId, name }: Place): Promise<Readonly<Record<string, unknown>> | null> {
    const [found] = await db.execute<{ row: Record<string, unknown> }, { bucketId: string; name: string }>(
      rowAsServer,
      { bucketId, name },
    );
    return found?.row ?? null;
  },
};

function readRow(row: Row): RowBody {
  const [id, version, ownerId, metadata, userMetadata, createdAt, updatedAt] = row;
  return {
    id: id!.toString("latin1"),
    version: version?.toString() ?? null,
    ownerId: ownerId?.toString() ?? null,
    metadata: metadata == null ? null : JSON.parse(metadata.toString()),
    userMetadata: userMetadata == null ? null : JSON.parse(userMetadata.toString()),
    createdAt: createdAt?.toString("latin1") ?? "",
    updatedAt: updatedAt?.toString("latin1") ?? "",
  };
}

const jsonOrNull = (value: Readonly<Record<string, unknown>> | null): string | null =>
  value === null ? null : JSON.stringify(value);
