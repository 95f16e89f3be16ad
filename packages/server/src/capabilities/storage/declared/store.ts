import { sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";
import type { DeclaredBucket } from "./types.ts";

/** All SQL about buckets that the project's files name, run as the server. */
export const declaredStore = {
  /** @returns whether it was made now */
  async create(db: Pick<Queryable, "query">, bucket: DeclaredBucket): Promise<boolean> {
    const { id, isPublic = false, fileSizeLimitBytes = null, allowedMimeTypes = null } = bucket;
    const made = await db.query<{ id: string }>(sql`
      insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types)
      values (${sql.value(id)}, ${sql.value(id)}, ${sql.value(isPublic)}, ${sql.value(fileSizeLimitBytes)}::bigint,
        ${sql.value(allowedMimeTypes)}::text[])
      on conflict do nothing returning id`);
    return made.length > 0;
  },

  /** Changes what is said of it, and only where it is otherwise. */
  async update(db: Pick<Queryable, "query">, bucket: DeclaredBucket): Promise<void> {
    const { id, isPublic, fileSizeLimitBytes, allowedMimeTypes } = bucket;
    await db.query(sql`
      update storage.buckets b set public = said.public, file_size_limit = said.file_size_limit,
        allowed_mime_types = said.allowed_mime_types, updated_at = now()
      from (
        select o.id, coalesce(${sql.value(isPublic ?? null)}::boolean, o.public) as public,
          case when ${sql.value(fileSizeLimitBytes === undefined)}::boolean then o.file_size_limit
            else ${sql.value(fileSizeLimitBytes ?? null)}::bigint end as file_size_limit,
          case when ${sql.value(allowedMimeTypes === undefined)}::boolean then o.allowed_mime_types
            else ${sql.value(allowedMimeTypes ?? null)}::text[] end as allowed_mime_types
        from storage.buckets o where o.id = ${sql.value(id)}
      ) said
      where b.id = said.id and (b.public, b.file_size_limit, b.allowed_mime_types)
        is distinct from (said.public, said.file_size_limit, said.allowed_mime_types)`);
  },

  /** Which of these names the bucket has. */
  async present(
    db: Pick<Queryable, "query">,
    bucketId: string,
    names: readonly string[],
  ): Promise<ReadonlySet<string>> {
    const rows = await db.query<{ name: string }>(sql`
      select o.name from storage.objects o
      where o.bucket_id = ${sql.value(bucketId)} and o.name = any (${sql.value(names)}::text[])`);
    return new Set(rows.map(({ name }) => name));
  },
};
