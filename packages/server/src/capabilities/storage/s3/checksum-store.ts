import { sql } from "pg-sql2";
import { Lru } from "../../../kernel/lru.ts";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { prepare } from "../../../platform/postgres/prepared.ts";
import { type ChecksumName, checksumNamed } from "./payload/checksums.ts";

/** A checksum of a whole object, as it is sent. */
export interface ObjectChecksum {
  readonly name: ChecksumName;
  /** Base64; with `-` and the number of parts where it is one of their checksums. */
  readonly value: string;
}

const find = prepare<{ version: string }>(
  [
    ["name", "text"],
    ["value", "text"],
  ],
  (p) => sql`select c.name, c.value from mainstay.s3_checksums c where c.version_id = ${p("version")}`,
);

const add = prepare<{ version: string; name: string; value: string }>(
  [],
  (p) => sql`
    insert into mainstay.s3_checksums (version_id, name, value)
    select v.id, ${p("name")}, ${p("value")} from mainstay.object_versions v where v.id = ${p("version")}
    on conflict (version_id) do nothing`,
);

/** How many versions' checksums are remembered. */
const remembered = 10_000;

/** Checksums that objects were sent with. That of a version never changes, and is remembered. */
export function checksumStore(db: Pick<Queryable, "execute">) {
  const known = new Lru<string, ObjectChecksum | null>(remembered);
  return {
    async find(version: string): Promise<ObjectChecksum | null> {
      const hit = known.get(version);
      if (hit !== undefined) return hit;
      const [row] = await db.execute<{ name: string; value: string }, { version: string }>(find, { version });
      const name = checksumNamed(row?.name ?? "");
      const found = row === undefined || name === null ? null : { name, value: row.value };
      known.set(version, found);
      return found;
    },

    /** For a version that is kept; where it is gone meanwhile, nothing happens. */
    async add(version: string, { name, value }: ObjectChecksum): Promise<void> {
      await db.execute(add, { version, name, value });
      known.set(version, { name, value });
    },
  };
}

export type ChecksumStore = ReturnType<typeof checksumStore>;
