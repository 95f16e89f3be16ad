import { sql } from "pg-sql2";
import type { Principal } from "../../../kernel/principal.ts";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { prepare } from "../../../platform/postgres/prepared.ts";
import type { FlightResult, Lane, Param, Session } from "../../../platform/postgres/session/types.ts";
import { asStorageCaller } from "../objects/context.ts";
import type { Bucket, Operation } from "../types.ts";
import type { BucketChanges, BucketQuery, NewBucket } from "./types.ts";

/** How a caller asks. */
interface Asking {
  readonly session: Session;
  readonly who: Principal;
  readonly operation: Operation;
}

const findAsServer = prepare<{ id: string }>(
  [
    ["id", "text"],
    ["name", "text"],
    ["isPublic", "flag"],
    ["fileSizeLimitBytes", "number"],
    ["allowedMimeTypes", "json"],
  ],
  (parameter) => sql`
    select b.id, b.name, coalesce(b.public, false) as "isPublic", b.file_size_limit as "fileSizeLimitBytes",
      to_json(b.allowed_mime_types) as "allowedMimeTypes"
    from storage.buckets b where b.id = ${parameter("id")}`,
);

const time = (column: string): string => `to_char(b.${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
/** As clients know it: the owner is never null (protocols: buckets). */
const json = (more = ""): string => `json_build_object(
  'id', b.id, 'name', b.name, 'owner', coalesce(b.owner::text, ''), 'public', coalesce(b.public, false),
  'file_size_limit', b.file_size_limit, 'allowed_mime_types', b.allowed_mime_types,
  'created_at', ${time("created_at")}, 'updated_at', ${time("updated_at")}${more})`;
/** Older tables of Supabase have no column for the type. */
const type = `, 'type', coalesce(to_jsonb(b) ->> 'type', 'STANDARD')`;

const ownerUuid = "case when $3 ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then $3::uuid end";
const list = (parameter: string): string =>
  `(select array_agg(value) from json_array_elements_text(${parameter}::json) as value)`;

/** All SQL about buckets. What a caller asks runs under the policies on `storage.buckets`; errors are PostgreSQL's own. */
export const bucketStore = {
  async findAsServer(db: Queryable, id: string): Promise<Bucket | null> {
    const [bucket] = await db.execute<Bucket, { id: string }>(findAsServer, { id });
    return bucket ?? null;
  },

  /** Whether changes of buckets are told. */
  async isTold(db: Queryable): Promise<boolean> {
    const [row] = await db.query<{ isTold: boolean }>(sql`
      select exists (
        select from pg_catalog.pg_trigger t
        join pg_catalog.pg_class c on c.oid = t.tgrelid
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'storage' and c.relname = 'buckets' and t.tgname = 'mainstay_tell_of_bucket' and t.tgenabled <> 'D'
      ) as "isTold"`);
    return row?.isTold ?? false;
  },

  /** Without `returning`: who may make a bucket need not be able to see it. */
  async create(asking: Asking, bucket: NewBucket): Promise<void> {
    const { id, name, isPublic = false, fileSizeLimitBytes = null, allowedMimeTypes = null } = bucket;
    await fly(
      asking,
      "write",
      `insert into storage.buckets (id, name, owner, owner_id, public, file_size_limit, allowed_mime_types)
       values ($1, $2, ${ownerUuid}, $3, $4::boolean, $5::bigint, case when $6::json is null then null else coalesce(${list("$6")}, '{}') end)`,
      [id, name, asking.who.subject, String(isPublic), numberParam(fileSizeLimitBytes), listParam(allowedMimeTypes)],
    );
  },

  /** @returns the bucket as JSON; `null` when there is none for the caller */
  async get(asking: Asking, id: string): Promise<string | null> {
    const { rows } = await fly(asking, "read", `select ${json()} from storage.buckets b where b.id = $1`, [id]);
    return rows[0]?.[0]?.toString() ?? null;
  },

  /** @returns a JSON list */
  async list(asking: Asking, query: BucketQuery): Promise<string> {
    const { limit, offset, sortColumn, isDescending, search } = query;
    // Without a wish by name: a page must be of some order.
    const order = `b.${sortColumn ?? "name"} ${isDescending ? "desc" : "asc"}, b.id`;
    const { rows } = await fly(
      asking,
      "read",
      `select coalesce(json_agg(page.bucket), '[]') from (
         select ${json(type)} as bucket from storage.buckets b
         where $1 = '' or strpos(lower(b.name), lower($1)) > 0
         order by ${order} limit $2::bigint offset $3::bigint
       ) page`,
      [search, numberParam(limit), String(offset)],
    );
    return rows[0]![0]!.toString();
  },

  /** @returns false when there is none that the caller may change */
  async update(asking: Asking, id: string, changes: BucketChanges): Promise<boolean> {
    const { isPublic, fileSizeLimitBytes, allowedMimeTypes } = changes;
    const { commandTag } = await fly(
      asking,
      "write",
      `update storage.buckets set
         public = coalesce($2::boolean, public),
         file_size_limit = case when $3::boolean then $4::bigint else file_size_limit end,
         allowed_mime_types = case when not $5::boolean then allowed_mime_types
           when $6::json is null then null else coalesce(${list("$6")}, '{}') end,
         updated_at = now()
       where id = $1`,
      [
        id,
        isPublic === undefined ? null : String(isPublic),
        String(fileSizeLimitBytes !== undefined),
        numberParam(fileSizeLimitBytes ?? null),
        String(allowedMimeTypes !== undefined),
        listParam(allowedMimeTypes ?? null),
      ],
    );
    return commandTag !== "UPDATE 0";
  },

  /** @returns false when there is none that the caller may delete. SQLSTATE 23503 when it has objects */
  async remove(asking: Asking, id: string): Promise<boolean> {
    const { commandTag } = await fly(asking, "write", "delete from storage.buckets where id = $1", [id]);
    return commandTag !== "DELETE 0";
  },
};

function fly(
  { session, who, operation }: Asking,
  lane: Lane,
  text: string,
  values: readonly Param[],
): Promise<FlightResult> {
  const prologue = asStorageCaller(who, operation);
  return session.fly({ role: who.role, prologue, statement: { text, values }, lane, isRetryable: lane === "read" });
}

const numberParam = (value: number | null): Param => (value === null ? null : String(value));
const listParam = (value: readonly string[] | null): Param => (value === null ? null : JSON.stringify(value));
