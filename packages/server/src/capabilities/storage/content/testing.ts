import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestDatabase, templateDatabase, testDatabase } from "@mainstay/testing";
import pg from "pg";
import { openFsBlobStore } from "../../../adapters/fs-blobs/index.ts";
import { readSettings, type Values } from "../../../kernel/settings.ts";
import type { Observation } from "../../../platform/observe/observation.ts";
import { type Database, openDatabase } from "../../../platform/postgres/database.ts";
import { parseConnectionUrl } from "../../../platform/postgres/external/index.ts";
import { openHotSession } from "../../../platform/postgres/hot-session.ts";
import { postgresSettings } from "../../../platform/postgres/settings.ts";
import { openCipher } from "../encryption/index.ts";
import type { Cipher } from "../encryption/types.ts";
import type { BlobStore } from "../ports.ts";
import { storageSettings } from "../settings.ts";
import { createContent } from "./index.ts";
import { Sweeper } from "./sweeper.ts";
import type { Append, Content, NewVersion } from "./types.ts";

type Settings = Values<typeof storageSettings>;

/** One server's content: a database and a store, as they are. */
export interface ContentNode {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly settings: Settings;
  readonly cipher: Cipher | null;
  readonly content: Content;
  readonly sweeper: Sweeper;
  readonly observations: readonly Observation[];
  close(): Promise<void>;
}

/** Opens one; several may be open on the same database and folder. */
export async function openContentNode(
  { url, folder }: { readonly url: string; readonly folder: string },
  given: Partial<Settings> = {},
  wrap: (blobs: BlobStore) => BlobStore = (blobs) => blobs,
): Promise<ContentNode> {
  const settings = { ...readSettings(storageSettings, { env: {} }).values, ...given };
  const observations: Observation[] = [];
  const observe = (observation: Observation) => void observations.push(observation);
  const target = parseConnectionUrl(url);
  const hot = await openHotSession(target, { session: readSettings(postgresSettings, { env: {} }).values, observe });
  const db = openDatabase({ connectionString: url }, { hot, observe });
  const blobs = wrap(await openFsBlobStore({ folder }));
  const cipher = openCipher(settings);
  const content = createContent({ db, blobs, settings, observe }, cipher);
  let isClosed = false;
  return {
    db,
    blobs,
    settings,
    cipher,
    content,
    observations,
    sweeper: new Sweeper({ db, blobs, settings, observe }),
    async close() {
      if (isClosed) return;
      isClosed = true;
      await content.stop();
      await blobs.close();
      await db.close();
    },
  };
}

/** A database of its own, a folder, and one node on them. */
export interface ContentBench extends ContentNode {
  readonly database: TestDatabase;
  readonly folder: string;
  /** As the superuser. */
  sql<R extends object = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<R[]>;
  /** Another server on the same. */
  another(given?: Partial<Settings>, wrap?: (blobs: BlobStore) => BlobStore): Promise<ContentNode>;
  /** A version of these bytes, kept under a name of its own. */
  keep(bytes: Buffer, version?: Partial<NewVersion>): Promise<string>;
  /** Names of all there is in the store. */
  stored(): Promise<readonly string[]>;
}

export async function openContentBench(given: Partial<Settings> = {}): Promise<ContentBench> {
  const database = await testDatabase(await templateDatabase());
  const folder = await mkdtemp(join(tmpdir(), "mainstay-content-"));
  const pool = new pg.Pool({ connectionString: database.url });
  await pool.query("insert into storage.buckets (id, name) values ('files', 'files')");
  const nodes: ContentNode[] = [];
  const another: ContentBench["another"] = async (more = {}, wrap) => {
    const node = await openContentNode({ url: database.url, folder }, { ...given, ...more }, wrap);
    nodes.push(node);
    return node;
  };
  const node = await another();
  const sql: ContentBench["sql"] = async (text, values) => {
    const result: unknown = await pool.query(text, values as unknown[]);
    return ([result].flat().at(-1) as pg.QueryResult).rows;
  };
  return {
    ...node,
    database,
    folder,
    sql,
    another,
    async keep(bytes, version = {}) {
      const id = await node.content.begin(newVersion(version));
      await node.content.append(id, { ...whole(bytes), position: 0 });
      await sql(keepingText(id, bytes.length, version.ownerId ?? null));
      return id;
    },
    async stored() {
      const ids: string[] = [];
      for await (const { id } of node.blobs.list()) ids.push(id);
      return ids.sort();
    },
    async close() {
      for (const open of nodes) await open.close();
      await pool.end();
      await database.drop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export const newVersion = (given: Partial<NewVersion> = {}): NewVersion => ({
  bucketId: "files",
  ownerId: null,
  reservedBytes: 0,
  leaseMs: 60_000,
  ...given,
});

/** What makes a version visible, in one transaction, as whoever writes the rows of objects does it. The name is the version's. */
export const keepingText = (version: string, sizeBytes: number, ownerId: string | null = null): string => `
  begin;
  select set_config('mainstay.names_version', '${version}', true);
  update mainstay.object_versions set state = 'kept', reserved_bytes = 0, expires_at = null
    where id = '${version}' and state = 'receiving';
  insert into storage.objects (bucket_id, name, owner_id, version, metadata)
  select 'files', '${version}', ${ownerId === null ? "null" : `'${ownerId}'`}, id, '{"size": ${sizeBytes}}'
    from mainstay.object_versions where id = '${version}' and state = 'kept';
  commit;
  select count(*)::int as kept from storage.objects where version = '${version}'`;

/** Bytes as they come over a network, in chunks. */
export async function* inChunks(bytes: Buffer, chunkBytes = 10_000): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    await new Promise(setImmediate);
    yield bytes.subarray(at, at + chunkBytes);
  }
}

export const whole = (bytes: Buffer): Pick<Append, "source" | "limitBytes"> => ({
  source: inChunks(bytes),
  limitBytes: Number.MAX_SAFE_INTEGER,
});

/** A source that gives what it is told to give, when it is told. */
export function hose(): {
  readonly source: AsyncIterable<Buffer>;
  give(bytes: Buffer): void;
  end(): void;
  fail(error: Error): void;
} {
  const steps: (Buffer | Error | null)[] = [];
  let wake = (): void => {};
  const put = (step: Buffer | Error | null) => {
    steps.push(step);
    wake();
  };
  async function* run(): AsyncGenerator<Buffer> {
    for (;;) {
      while (steps.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      const step = steps.shift()!;
      if (step === null) return;
      if (step instanceof Error) throw step;
      yield step;
    }
  }
  return { source: run(), give: put, end: () => put(null), fail: put };
}

export const md5 = (bytes: Buffer): string => createHash("md5").update(bytes).digest("hex");
export const bytesOf = (sizeBytes: number): Buffer => randomBytes(sizeBytes);

export async function gather(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}
