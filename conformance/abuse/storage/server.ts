import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { type BootedApp, type BootOptions, boot } from "@mainstay/testing";
import { ann, bob, jwtSecret } from "../app.ts";
import { type Answer, type Ask, exchange } from "./http.ts";
import { type S3Credentials, signed } from "./s3-request.ts";

export const annId = "6f0c8d2e-0000-4000-8000-00000000000a";
export const bobId = "6f0c8d2e-0000-4000-8000-00000000000b";
/** What stands in a file beside the store, and must stand in no answer. */
export const canary = "canary-outside-of-the-store";

/** A folder of one's own in `own`; a public bucket; buckets with limits; one that nobody may use; and letters, which may only come in. */
const schema = `
  insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types) values
    ('own', 'own', false, null, null), ('open', 'open', true, null, null), ('shut', 'shut', false, null, null),
    ('small', 'small', false, 1000, null), ('pictures', 'pictures', false, null, '{image/png}'), ('letters', 'letters', false, null, null);
  create policy "own folder" on storage.objects for all to authenticated
    using (bucket_id in ('own', 'open', 'small', 'pictures') and (storage.foldername(name))[1] = (select auth.uid())::text)
    with check (bucket_id in ('own', 'open', 'small', 'pictures') and (storage.foldername(name))[1] = (select auth.uid())::text);
  create policy "letters come in" on storage.objects for insert to authenticated with check (bucket_id = 'letters');`;

export interface SendOptions {
  /** A token or key; the service's unless told otherwise, `null` for nobody. */
  readonly as?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string | undefined;
  /** Sent as a body of JSON. */
  readonly json?: unknown;
}

/** A server with files, whose store lies in a folder where everything that changes is seen. */
export interface FilesServer extends BootedApp {
  /** Where the store is. */
  readonly folder: string;
  /** The folder around it, with a file that is nobody's business. */
  readonly parent: string;
  /** A request to storage; `path` is behind `/storage/v1`, as it is on the wire. */
  send(method: string, path: string, options?: SendOptions): Promise<Answer>;
  /** A request to the S3 endpoint; `path` is behind `/storage/v1/s3`. */
  s3(method: string, path: string, options?: Omit<SendOptions, "json">): Promise<Answer>;
  session(token: string): S3Credentials;
  upload(
    token: string,
    place: string,
    body: Buffer | string,
    headers?: Readonly<Record<string, string>>,
  ): Promise<void>;
  tusCreate(token: string | null, place: TusPlace): Promise<Answer>;
  /** All that counts: rows, kept versions, what owners have, and every file around the store. */
  snapshot(): Promise<unknown>;
  /** Names below `parent`, without the store's own. */
  outside(): Promise<readonly string[]>;
  /** What the server has thrown that nobody meant it to. */
  failures(): readonly string[];
  /** Refusals that say what they should not: paths, SQL, names of blobs, stacks. `said`: what callers have said themselves, and may hear again. */
  leaks(said?: readonly string[]): Promise<readonly string[]>;
}

export interface TusPlace {
  readonly bucket: string;
  readonly name: string;
  readonly bytes?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

const inner =
  /node_modules|\/packages\/|\.ts:\d|\n\s+at |\b(?:select|update|delete|insert) .*\b(?:from|into|set)\b|mainstay\.|object_(?:versions|segments)|storage\.objects|ENOENT|EISDIR|ENAMETOOLONG|EACCES|undefined is|not a function|Cannot read|syntax error at|invalid input syntax|TypeError|RangeError/i;

export async function startFiles(
  storage: NonNullable<BootOptions["settings"]>["storage"] = {},
  more: BootOptions = {},
) {
  const parent = await mkdtemp(join(tmpdir(), "files-"));
  const folder = join(parent, "store");
  await writeFile(join(parent, "outside.txt"), canary);
  const app = await boot({
    ...more,
    sql: `${schema}\n${more.sql ?? ""}`,
    settings: {
      ...more.settings,
      identity: { jwtSecret, jwtAlgorithm: "HS256", ...more.settings?.identity },
      storage: { storageFolder: folder, storageSweepMs: 200, ...storage },
    },
  });
  const { host } = new URL(app.url);
  const refusals = new Set<string>();

  const send: FilesServer["send"] = async (method, path, { as = app.serviceRoleKey, headers, body, json } = {}) => {
    const answer = await exchange(app.url, {
      method,
      target: `/storage/v1${path}`,
      headers: {
        ...(as === null ? {} : { authorization: `Bearer ${as}` }),
        ...(json === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      body: json === undefined ? body : JSON.stringify(json),
    });
    return remember(answer);
  };
  const remember = (answer: Answer): Answer => {
    if (answer.status >= 400) refusals.add(answer.text);
    return answer;
  };
  const session = (token: string): S3Credentials => ({ id: "mainstay", secret: app.anonKey, sessionToken: token });

  const server: FilesServer = {
    ...app,
    folder,
    parent,
    send,
    session,
    async s3(method, path, { as = app.serviceRoleKey, headers, body } = {}) {
      const ask: Ask = { method, target: `/storage/v1/s3${path}`, headers: headers ?? {}, body };
      return remember(await exchange(app.url, as === null ? ask : signed(ask, host, session(as))));
    },
    async upload(token, place, body, headers = {}) {
      const answer = await send("PUT", `/object/${place}`, { as: token, body, headers });
      if (answer.status !== 200) throw new Error(`${place}: ${answer.text}`);
    },
    tusCreate(token, { bucket, name, bytes = 10, headers = {}, body }) {
      const encoded = (text: string): string => Buffer.from(text).toString("base64");
      return send("POST", "/upload/resumable", {
        as: token,
        body,
        headers: {
          "tus-resumable": "1.0.0",
          "upload-length": String(bytes),
          "upload-metadata": `bucketName ${encoded(bucket)},objectName ${encoded(name)}`,
          ...(body === undefined ? {} : { "content-type": "application/offset+octet-stream" }),
          ...headers,
        },
      });
    },
    async snapshot() {
      const [rows] = await app.sql<{ state: unknown }>(`select jsonb_build_object(
        'objects', (select jsonb_agg(to_jsonb(o) - 'last_accessed_at' order by bucket_id, name) from storage.objects o),
        'buckets', (select jsonb_agg(to_jsonb(b) order by id) from storage.buckets b),
        'versions', (select jsonb_agg(v.id order by v.id) from mainstay.object_versions v),
        'segments', (select jsonb_agg(to_jsonb(s) order by s.blob_id) from mainstay.object_segments s),
        'usage', (select jsonb_agg(u order by owner_id) from mainstay.object_usage u where used_bytes <> 0 or object_count <> 0)) as state`);
      return { rows: rows?.state, files: await filesOf(parent) };
    },
    async outside() {
      const names = await readdir(parent, { recursive: true });
      return names.filter((name) => name !== "store" && !name.startsWith("store/")).sort();
    },
    failures: () =>
      app.observations.flatMap((observation) =>
        observation.kind === "request.failed" ? [String((observation.error as Error)?.stack ?? observation.error)] : [],
      ),
    async leaks(said = []) {
      const blobs = await app.sql<{ id: string }>("select blob_id::text as id from mainstay.object_segments");
      const words = [...blobs.map(({ id }) => id), parent, folder, canary];
      const texts = [...refusals].map((text) => said.reduce((left, each) => left.replaceAll(each, ""), text));
      return texts.filter((text) => inner.test(text) || words.some((word) => text.includes(word)));
    },
    async stop() {
      await app.stop();
      await rm(parent, { recursive: true, force: true });
    },
  };
  return server;
}

/** Names and digests of every file. */
async function filesOf(root: string): Promise<Readonly<Record<string, string>>> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files: Record<string, string> = {};
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    // What is being written may be gone again.
    const bytes = await readFile(path).catch(() => null);
    if (bytes !== null) files[relative(root, path)] = createHash("md5").update(bytes).digest("hex");
  }
  return files;
}

/** Where a resumable upload goes on: its path behind `/storage/v1`. */
export function uploadPath(answer: Answer): string {
  const { location } = answer.headers;
  if (answer.status !== 201 || location === undefined) throw new Error(`${answer.status} ${answer.text}`);
  return new URL(location).pathname.replace("/storage/v1", "");
}

/** Bytes that belong at an offset. */
export const tusHeaders = (offset: number): Readonly<Record<string, string>> => ({
  "tus-resumable": "1.0.0",
  "upload-offset": String(offset),
  "content-type": "application/offset+octet-stream",
});

/** The status that storage means: in the body where it stands there (protocols: storage errors). */
export function meantStatus({ status, text }: Pick<Answer, "status" | "text">): number {
  if (status !== 400) return status;
  try {
    return Number((JSON.parse(text) as { statusCode?: string }).statusCode ?? status);
  } catch {
    return status;
  }
}

export const people = { ann, bob };
