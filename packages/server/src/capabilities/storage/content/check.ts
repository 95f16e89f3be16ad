import { createHash } from "node:crypto";
import { Problem } from "../../../kernel/problem.ts";
import type { Database } from "../../../platform/postgres/database.ts";
import type { Cipher } from "../encryption/types.ts";
import type { BlobStore, StoredBlob } from "../ports.ts";
import { type BlobReader, createBlobReader } from "./blob-reader.ts";
import { type CheckedSegment, checkStore } from "./check-store.ts";
import type { Sweeper } from "./sweeper.ts";

/** Something that facts and bytes do not agree on. */
export interface Finding {
  readonly kind:
    | "version-missing"
    | "bytes-missing"
    | "bytes-differ"
    | "size-differs"
    | "unnamed-version"
    | "unknown-blob"
    | "unswept"
    | "usage-differs";
  /** A sentence for whoever runs the server. */
  readonly message: string;
  /** Somebody misses something: a file cannot be read as it was written. Nothing here repairs that. */
  readonly isLoss: boolean;
  readonly isRepaired: boolean;
  readonly object?: { readonly bucketId: string; readonly name: string };
  readonly version?: string;
  readonly blob?: string;
}

export interface CheckNeeds {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly cipher: Cipher | null;
  readonly sweeper: Pick<Sweeper, "sweep">;
  /** How long bytes are left after their object has gone, in ms. */
  readonly graceMs: number;
}

export interface CheckOptions {
  /** Read all bytes, and compare them with what was hashed when they came. */
  readonly isDeep?: boolean;
  /** Take away what nobody would miss, and count anew. */
  readonly repairs?: boolean;
  readonly signal?: AbortSignal;
  /** Told how many files and blobs have been looked at. */
  readonly onProgress?: (looked: number) => void;
}

/** Rows and blobs that are looked at together. */
const pageSize = 1_000;
/** Blobs that the store is asked of at the same time. */
const atOnce = 16;
/** What should have been swept so long ago is worth a word, in ms: somebody sweeps every minute or so. */
const unsweptMs = 3_600_000;
const firstId = "00000000-0000-0000-0000-000000000000";

/**
 * Compares facts and bytes both ways, page by page, while servers go on. What changes meanwhile is looked at again before it is found to be wrong.
 * It rejects as the database and the store do.
 */
export async function* check(needs: CheckNeeds, options: CheckOptions = {}): AsyncGenerator<Finding, void, undefined> {
  const { onProgress = () => {}, signal } = options;
  let looked = 0;
  const step = (count: number): void => {
    signal?.throwIfAborted();
    looked += count;
    onProgress(looked);
  };
  yield* checkObjects(needs, step);
  yield* checkSegments(needs, options, step);
  yield* checkUnnamed(needs, options);
  yield* checkBlobs(needs, options, step);
  yield* checkUnswept(needs, options);
  yield* checkUsage(needs, options);
}

type Step = (count: number) => void;
type Findings = AsyncGenerator<Finding, void, undefined>;

const loss = { isLoss: true, isRepaired: false } as const;

/**
 * Looks for the bytes of some segments, from a place among their names on.
 * @returns how many were looked for, and what is wrong, in a sentence each. Rejects as the database and the store do
 */
export async function sampleSegments(
  { db, blobs, cipher }: Pick<CheckNeeds, "db" | "blobs" | "cipher">,
  after: string,
  most: number,
): Promise<{ readonly looked: number; readonly wrong: readonly string[] }> {
  const reader = createBlobReader(blobs, cipher);
  const behind = await checkStore.segments(db, after, most);
  const before = behind.length === most ? [] : await checkStore.segments(db, firstId, most - behind.length);
  // Where there are few, both have the same.
  const segments = [...new Map([...behind, ...before].map((one) => [one.blobId, one])).values()];
  const wrong: string[] = [];
  for (const segment of segments) {
    const found = await lookAt(segment, { blobs, cipher, reader, isDeep: false });
    if (found === null || !(await checkStore.isRead(db, segment.blobId))) continue;
    wrong.push(`${nameOf(segment)}: ${found.what}`);
  }
  return { looked: segments.length, wrong };
}

/** What should have been removed long ago, by servers that look for it every minute or so. */
export const sinceUnswept = (db: Pick<Database, "query">, graceMs: number) =>
  checkStore.unswept(db, unsweptMs + graceMs);

const nameOf = ({ object, version }: CheckedSegment): string =>
  object === null ? `version ${version}` : `${object.bucketId}/${object.name}`;

async function* checkObjects({ db }: CheckNeeds, step: Step): Findings {
  for await (const page of pages((after) => checkStore.objects(db, after, pageSize), "id")) {
    step(page.length);
    for (const { bucketId, name, version, state, sizeBytes, segmentBytes } of page) {
      const about = { ...loss, object: { bucketId, name }, version };
      if (state !== "kept") {
        const what = state === null ? "are not known" : `are ${state}`;
        yield { ...about, kind: "version-missing", message: `${bucketId}/${name}: its bytes ${what}.` };
      } else if (sizeBytes !== segmentBytes) {
        const message = `${bucketId}/${name}: it says that it has ${sizeBytes} bytes, and there are ${segmentBytes}.`;
        yield { ...about, kind: "size-differs", message };
      }
    }
  }
}

async function* checkSegments({ db, blobs, cipher }: CheckNeeds, options: CheckOptions, step: Step): Findings {
  const reader = createBlobReader(blobs, cipher);
  for await (const page of pages((after) => checkStore.segments(db, after, pageSize), "blobId")) {
    const wrong: { segment: CheckedSegment; kind: Finding["kind"]; what: string }[] = [];
    const left = page.values();
    const worker = async () => {
      for (const segment of left) {
        options.signal?.throwIfAborted();
        const found = await lookAt(segment, { blobs, cipher, reader, isDeep: options.isDeep === true });
        if (found !== null) wrong.push({ segment, ...found });
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    step(page.length);
    for (const { segment, kind, what } of wrong) {
      // Deleted or replaced since the page was read: then it may be gone.
      if (!(await checkStore.isRead(db, segment.blobId))) continue;
      const { object, version, blobId: blob } = segment;
      yield {
        ...loss,
        kind,
        message: `${nameOf(segment)}: ${what} (blob ${blob}).`,
        ...(object && { object }),
        version,
        blob,
      };
    }
  }
}

/** What is wrong with the bytes of a segment; `null` when nothing is. */
async function lookAt(
  segment: CheckedSegment,
  needs: {
    readonly blobs: BlobStore;
    readonly cipher: Cipher | null;
    readonly reader: BlobReader;
    readonly isDeep: boolean;
  },
): Promise<{ readonly kind: Finding["kind"]; readonly what: string } | null> {
  const { blobs, cipher, reader, isDeep } = needs;
  const { sizeBytes, key } = segment;
  const storedBytes = await blobs.sizeOf(segment.blobId);
  if (storedBytes === null) return { kind: "bytes-missing", what: "its bytes are missing" };
  try {
    if (key !== null && cipher === null)
      return { kind: "bytes-differ", what: `the key ${key.wrappingKeyId} is missing` };
    const cipherOf = key === null || cipher === null ? null : cipher.open(key, segment.keyBlobId);
    const rightBytes = cipherOf?.storedBytes(sizeBytes) ?? sizeBytes;
    if (storedBytes !== rightBytes) {
      return { kind: "bytes-differ", what: `${storedBytes} bytes are stored where ${rightBytes} should be` };
    }
    if (!isDeep || sizeBytes === 0) return null;
    const hash = createHash("md5");
    for await (const chunk of await reader.read(segment, { from: 0, to: sizeBytes })) hash.update(chunk);
    return hash.digest("hex") === segment.md5
      ? null
      : { kind: "bytes-differ", what: "its bytes are not what was written" };
  } catch (error) {
    // Away is not damaged: that ends the check.
    if (!(error instanceof Problem) || error.status !== 500) throw error;
    if (error.code === "storage/key-missing") {
      return { kind: "bytes-differ", what: `the key ${key?.wrappingKeyId} is missing` };
    }
    return { kind: "bytes-differ", what: error.message };
  }
}

async function* checkUnnamed({ db }: CheckNeeds, { repairs = false }: CheckOptions): Findings {
  for await (const page of pages((after) => checkStore.unnamed(db, after, pageSize), "id")) {
    for (const { id, sizeBytes } of page) {
      if (repairs) await checkStore.end(db, id);
      const message = `No object has version ${id} (${sizeBytes} bytes).`;
      yield { kind: "unnamed-version", message, isLoss: false, isRepaired: repairs, version: id };
    }
  }
}

async function* checkBlobs({ db, blobs }: CheckNeeds, { repairs = false, signal }: CheckOptions, step: Step): Findings {
  const look = async function* (batch: readonly StoredBlob[]): Findings {
    step(batch.length);
    const known = await checkStore.known(
      db,
      batch.map(({ id }) => id),
    );
    for (const { id, sizeBytes } of batch) {
      // A row comes before its blob and goes after it: one without a row is nobody's, or was swept since it was listed.
      if (known.has(id) || (await blobs.sizeOf(id)) === null) continue;
      if (repairs) await blobs.remove([id]);
      const message = `Nobody knows blob ${id} (${sizeBytes} bytes).`;
      yield { kind: "unknown-blob", message, isLoss: false, isRepaired: repairs, blob: id };
    }
  };
  let batch: StoredBlob[] = [];
  for await (const blob of blobs.list(signal === undefined ? {} : { signal })) {
    batch.push(blob);
    if (batch.length < pageSize) continue;
    yield* look(batch);
    batch = [];
  }
  yield* look(batch);
}

async function* checkUnswept({ db, sweeper, graceMs }: CheckNeeds, { repairs = false }: CheckOptions): Findings {
  if (repairs) await sweeper.sweep();
  const { uploads, blobs } = await sinceUnswept(db, graceMs);
  if (uploads + blobs === 0) return;
  const message = `${uploads} broken uploads and ${blobs} blobs wait to be removed for more than an hour: no server does it, or the store fails.`;
  yield { kind: "unswept", message, isLoss: false, isRepaired: false };
}

async function* checkUsage({ db }: CheckNeeds, { repairs = false }: CheckOptions): Findings {
  const miscounted = await checkStore.miscounted(db);
  if (repairs && miscounted.length > 0) await checkStore.recount(db);
  for (const { owner, countedBytes, actualBytes } of miscounted) {
    const message = `Of ${owner} ${countedBytes} bytes are counted, and there are ${actualBytes}.`;
    yield { kind: "usage-differs", message, isLoss: false, isRepaired: repairs };
  }
}

/** Page after page, each after the last row's key. */
async function* pages<K extends string, R extends Readonly<Record<K, string>>>(
  read: (after: string) => Promise<readonly R[]>,
  key: K,
): AsyncGenerator<readonly R[], void, undefined> {
  for (let after = firstId; ; ) {
    const page = await read(after);
    const last = page.at(-1);
    if (last === undefined) return;
    yield page;
    if (page.length < pageSize) return;
    after = last[key];
  }
}
