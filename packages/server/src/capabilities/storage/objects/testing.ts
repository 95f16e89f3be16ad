import { randomUUID } from "node:crypto";
import { type TestDatabase, templateDatabase, testDatabase } from "@mainstay/testing";
import pg from "pg";
import { sql } from "pg-sql2";
import { systemClock } from "../../../kernel/clock.ts";
import type { Principal } from "../../../kernel/principal.ts";
import { readSettings } from "../../../kernel/settings.ts";
import { type Database, openDatabase } from "../../../platform/postgres/database.ts";
import { parseConnectionUrl } from "../../../platform/postgres/external/index.ts";
import { openSession } from "../../../platform/postgres/session/index.ts";
import type { Session } from "../../../platform/postgres/session/types.ts";
import { postgresSettings } from "../../../platform/postgres/settings.ts";
import type { StorageContext } from "../context.ts";
import { storageSettings } from "../settings.ts";
import { createObjects } from "./objects.ts";
import type { Objects, WriteOrder, Written } from "./types.ts";

/** Rows and rights on a real database, without HTTP and without bytes. Close it at the end. */
export interface TestRows {
  readonly objects: Objects;
  readonly context: StorageContext;
  readonly db: Database;
  readonly session: Session;
  readonly database: TestDatabase;
  /** Runs SQL as the superuser; gives the last statement's rows. */
  sql<R extends object = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<R[]>;
  /** A version that is received, as an upload leaves it. */
  received(sizeBytes?: number): Promise<Written>;
  close(): Promise<void>;
}

export async function openTestRows(setUp = ""): Promise<TestRows> {
  const database = await testDatabase(await templateDatabase());
  const admin = new pg.Client({ connectionString: database.url });
  admin.on("error", () => {});
  await admin.connect();
  if (setUp !== "") await admin.query(setUp);
  const observe = () => {};
  const db = openDatabase({ connectionString: database.url });
  const settings = readSettings(postgresSettings, { env: {} }).values;
  const session = await openSession({
    target: parseConnectionUrl(database.url),
    settings,
    observe,
    defaults: { search_path: "public, extensions", statement_timeout: "8000ms" },
  });
  // What rows need of it; bytes, tokens and scanners are other rooms'.
  const context = {
    db,
    session,
    settings: readSettings(storageSettings, { env: {} }).values,
    observe,
    clock: systemClock,
  } as unknown as StorageContext;
  return {
    objects: createObjects(context),
    context,
    db,
    session,
    database,
    async sql(text, values) {
      const result = await admin.query(text, values as unknown[]);
      return (Array.isArray(result) ? result.at(-1) : result).rows;
    },
    async received(sizeBytes = 3) {
      const version = randomUUID();
      await db.query(sql`
        insert into mainstay.object_versions (id, bucket_id, expires_at)
        values (${sql.value(version)}, '', now() + interval '1 hour')`);
      return { version, sizeBytes, etag: `"${version.replaceAll("-", "")}"` };
    },
    async close() {
      await session.close(AbortSignal.timeout(2_000));
      await db.close();
      await admin.end();
      await database.drop();
    },
  };
}

/** Somebody who has signed in, or the roles of API keys. */
export function principal(role = "authenticated", subject: string | null = null, claims: object = {}): Principal {
  const all = { role, ...(subject === null ? {} : { sub: subject }), ...claims };
  return {
    role,
    claims: all,
    claimsJson: JSON.stringify(all),
    subject,
    isAuthenticated: role !== "anon",
    expiresAtMs: Number.POSITIVE_INFINITY,
  };
}

/** An order as an upload makes it; three bytes of text unless told otherwise. */
export function order(who: Principal, bucketId: string, name: string, more: Partial<WriteOrder> = {}): WriteOrder {
  return {
    who,
    ownerId: who.subject,
    bucketId,
    name,
    isUpsert: false,
    operation: "storage.object.upload",
    contentType: "text/plain",
    cacheControl: "max-age=3600",
    userMetadata: null,
    sizeBytes: 3,
    ...more,
  };
}
