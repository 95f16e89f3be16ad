import type { Inspect } from "../content/types.ts";
import type { StorageCore } from "../part.ts";
import { problems } from "../problems.ts";
import type { Bucket } from "../types.ts";
import { checkBytes, headBytes } from "../uploads/sniff.ts";
import type { OpenUpload } from "../uploads/types.ts";
import { type Checksum, verified } from "./checksum.ts";
import type { Hold, Holds } from "./holds.ts";
import type { Incoming } from "./incoming.ts";
import { type Asker, orderOf } from "./memo.ts";
import { resumableProblems } from "./problems.ts";
import { resumableStore, type UploadRow } from "./store.ts";

/** Bytes that a request brings to an upload. */
export interface Delivery {
  readonly asker: Asker;
  readonly incoming: Incoming;
  /** Nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /** Where they begin, in bytes from the beginning of the file. */
  readonly offsetBytes: number;
  /** How many were announced; `null` when that is not known. */
  readonly announcedBytes: number | null;
  /** The length of the whole, where the request says it. */
  readonly lengthBytes: number | null;
  readonly checksum: Checksum | null;
}

/** What came of it. */
export interface Received {
  readonly offsetBytes: number;
  /** The object is there. */
  readonly isFinished: boolean;
  /** When the rest is given up, in Unix ms. */
  readonly expiresAtMs: number | null;
}

/** How far an upload is, as its client is to know it. */
export function offsetOf({ isKept, isPartial, lengthBytes, receivedBytes }: UploadRow): number {
  // All is durable and nobody has finished it: the server went down in between, say. Were its client told that nothing is missing, it would take
  // the file for stored and not come back, and nobody else can ask for its rights. So the last byte is asked for again.
  const isUnfinished = !isKept && !isPartial && receivedBytes === lengthBytes && receivedBytes > 0;
  return isUnfinished ? receivedBytes - 1 : receivedBytes;
}

/** Receives bytes of an upload: one request at a time, each byte durable before it counts, the last one making the object visible. */
export class Receiver {
  readonly #core: StorageCore;
  readonly #holds: Holds;

  constructor(core: StorageCore, holds: Holds) {
    this.#core = core;
    this.#holds = holds;
  }

  /** @throws Problem; what is durable by then stays, unless the checksum or the rules refuse it */
  async receive(version: string, delivery: Delivery): Promise<Received> {
    const hold = await this.#holds.take(version, delivery.signal);
    try {
      return await this.#receive(hold, version, delivery);
    } finally {
      await hold.release();
    }
  }

  async #receive(
    hold: Hold,
    version: string,
    { asker, incoming, offsetBytes, announcedBytes, lengthBytes, checksum }: Delivery,
  ): Promise<Received> {
    const { db, settings, objects, content, uploads } = this.#core;
    const row = await resumableStore.find(db, version);
    if (row === null) throw problems.noSuchUpload();
    if (row.isKept || offsetBytes !== offsetOf(row)) throw resumableProblems.offsetConflict();
    const order = orderOf(row.memo, row.bucketId, asker.who, "storage.tus.upload.part");
    await objects.mayWrite(order);
    const upload = await this.#open(row);
    const length = row.lengthBytes ?? lengthBytes;
    const mostBytes = (length ?? upload.limitBytes) - offsetBytes;
    if (mostBytes < 0 || (length ?? 0) > upload.limitBytes) throw problems.entityTooLarge();
    if (announcedBytes !== null && announcedBytes > mostBytes) throw problems.entityTooLarge();
    if (row.lengthBytes === null && length !== null) await resumableStore.setLength(db, version, length);
    await content.extend(version, settings.storageResumableSeconds * 1_000);

    incoming.endWith(hold.interrupted);
    const delivered = new Delivered(this.#core, upload, { ...row, lengthBytes: length }, hold);
    if (offsetBytes < row.receivedBytes) await repeat(incoming, checksum);
    else if (checksum !== null) await delivered.whole(incoming, checksum, mostBytes);
    else await delivered.segments(incoming, mostBytes);
    if (delivered.receivedBytes !== length) {
      if (incoming.failure !== null) throw incoming.failure;
      return { offsetBytes: delivered.receivedBytes, isFinished: false, expiresAtMs: this.#expiry() };
    }
    if (row.isPartial) return { offsetBytes: length, isFinished: false, expiresAtMs: this.#expiry() };
    if (hold.lost.aborted) throw hold.lost.reason;
    await delivered.checkShort(length).catch(async (error: unknown) => {
      await uploads.abandon(version);
      throw error;
    });
    await uploads.finish(upload, { ...order, sizeBytes: length });
    await resumableStore.forget(db, version).catch(() => {});
    return { offsetBytes: length, isFinished: true, expiresAtMs: null };
  }

  async #open({ version, bucketId }: UploadRow): Promise<OpenUpload> {
    const bucket = await this.#core.buckets.find(bucketId);
    if (bucket === null) throw problems.noSuchBucket();
    const { storageFileSizeLimitBytes } = this.#core.settings;
    const limitBytes = Math.min(bucket.fileSizeLimitBytes ?? Number.MAX_SAFE_INTEGER, storageFileSizeLimitBytes);
    return { version, bucket, limitBytes };
  }

  #expiry(): number {
    return this.#core.clock.nowMs() + this.#core.settings.storageResumableSeconds * 1_000;
  }
}

/** Bytes that are here already, or none: read, so that their sender hears the answer, and nothing more. */
async function repeat(incoming: Incoming, checksum: Checksum | null): Promise<void> {
  const source = checksum === null ? incoming.whole() : verified(incoming.whole(), checksum);
  for await (const _ of source);
}

/** Turns what comes into segments. */
class Delivered {
  receivedBytes: number;
  readonly #core: StorageCore;
  readonly #upload: OpenUpload;
  readonly #row: UploadRow;
  readonly #hold: Hold;
  #position: number;
  #head: Buffer;

  constructor(core: StorageCore, upload: OpenUpload, row: UploadRow, hold: Hold) {
    this.#core = core;
    this.#upload = upload;
    this.#row = row;
    this.#hold = hold;
    this.receivedBytes = row.receivedBytes;
    this.#position = row.nextPosition;
    this.#head = Buffer.from(row.head, "base64");
  }

  /** In runs, so that little is lost with this server; and whatever came before the body broke off. */
  async segments(incoming: Incoming, mostBytes: number): Promise<void> {
    const { storageResumableSegmentBytes } = this.#core.settings;
    let leftBytes = mostBytes;
    while (await incoming.hasMore()) {
      if (leftBytes === 0) throw problems.entityTooLarge();
      const runBytes = Math.min(leftBytes, storageResumableSegmentBytes);
      leftBytes -= await this.#append(incoming.take(runBytes), runBytes);
    }
    await this.#finishEmpty();
  }

  /** All or nothing: a part of it cannot be checked. */
  async whole(incoming: Incoming, checksum: Checksum, mostBytes: number): Promise<void> {
    if (await incoming.hasMore()) await this.#append(verified(incoming.whole(), checksum), mostBytes);
    else await repeat(incoming, checksum);
    await this.#finishEmpty();
  }

  /** What is too short for its beginning to be told apart from the rest is looked at when all of it is there. */
  async checkShort(lengthBytes: number): Promise<void> {
    if (this.#isChecked(this.#upload.bucket) && lengthBytes < headBytes) await this.#check(this.#head);
  }

  /** Nothing to bring, and nothing is missing: an empty file is a segment like any other. */
  async #finishEmpty(): Promise<void> {
    if (this.#position === 0 && this.#row.lengthBytes === 0 && !this.#row.isPartial) await this.#append(nothing(), 0);
  }

  async #append(source: AsyncIterable<Uint8Array>, limitBytes: number): Promise<number> {
    const { storageResumableSegmentsLimit } = this.#core.settings;
    if (this.#position >= storageResumableSegmentsLimit) {
      throw resumableProblems.tooManySegments(storageResumableSegmentsLimit);
    }
    const { sizeBytes } = await this.#core.content.append(this.#upload.version, {
      position: this.#position,
      source,
      limitBytes,
      signal: this.#hold.lost,
      replaces: false,
      inspect: this.#inspection(),
    });
    this.#position++;
    this.receivedBytes += sizeBytes;
    return sizeBytes;
  }

  /** Files are told by their first bytes, which may come in many requests: they are gathered, and looked at when there are enough. */
  #inspection(): Inspect | undefined {
    const atBytes = this.receivedBytes;
    const isChecked = this.#isChecked(this.#upload.bucket);
    if (atBytes >= headBytes || !(isChecked || this.#row.isPartial)) return undefined;
    return async (bytes) => {
      const head = Buffer.concat([this.#head.subarray(0, atBytes), bytes]).subarray(0, headBytes);
      if (isChecked && !this.#row.isPartial && head.length === headBytes) await this.#check(head);
      // Before the segment counts: then it is there whenever the segment is.
      await resumableStore.setHead(this.#core.db, this.#upload.version, head);
      this.#head = head;
    };
  }

  #isChecked({ allowedMimeTypes }: Bucket): boolean {
    return allowedMimeTypes !== null && this.#core.settings.storageCheckTypes;
  }

  async #check(head: Buffer): Promise<void> {
    const { allowedMimeTypes } = this.#upload.bucket;
    await checkBytes(this.#row.memo.contentType, allowedMimeTypes ?? ["*/*"], head);
  }
}

async function* nothing(): AsyncIterable<Buffer> {}
