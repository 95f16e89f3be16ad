import { createHash, randomUUID } from "node:crypto";
import type { Cipher, WrappedKey } from "../encryption/types.ts";
import type { BlobStore } from "../ports.ts";
import { problems } from "../problems.ts";
import { Feed } from "./feed.ts";
import type { Append, IncomingFile, NewVersion, Received, Segment } from "./types.ts";
import type { WriteStore } from "./write-store.ts";
import type { Writers } from "./writers.ts";

export interface AppendNeeds {
  readonly store: WriteStore;
  readonly blobs: BlobStore;
  readonly cipher: Cipher | null;
  readonly writers: Writers;
  /** How much of a quota is taken at a time, in bytes. */
  readonly stepBytes: number;
}

/** What a type is told by: no known one needs more (protocols: limits). */
const headBytes = 4_100;

/** Writes a segment: its row, its bytes, and then into the row that they are there. @see Content.append */
export async function append(needs: AppendNeeds, version: string, segment: Append): Promise<Segment> {
  const { store, cipher, writers } = needs;
  const { position, limitBytes, replaces = true } = segment;
  return feeding(segment, async (feed) => {
    const blobId = randomUUID();
    const key = cipher?.newKey() ?? null;
    const wantedBytes = Math.min(limitBytes, needs.stepBytes);
    const roomBytes = await store.openSegment({ blobId, version, position, wantedBytes, replaces, key });
    const poured = await pour(needs, { blobId, key, roomBytes, limitBytes }, feed);
    writers.remove(blobId);
    try {
      await store.finishSegment(blobId, poured.sizeBytes, poured.md5, replaces);
    } catch (error) {
      await clear(needs, blobId);
      throw error;
    }
    return { position, ...poured };
  });
}

/** Begins a version together with its only segment, and writes its bytes. @see Content.receive */
export async function receive(needs: AppendNeeds, version: NewVersion, file: IncomingFile): Promise<Received> {
  const { store, cipher, writers, stepBytes } = needs;
  const { limitBytes } = file;
  return feeding(file, async (feed) => {
    const [id, blobId] = [randomUUID(), randomUUID()];
    const key = cipher?.newKey() ?? null;
    const wantedBytes = Math.min(limitBytes, stepBytes);
    const roomBytes = await store.beginPlain(id, version, { blobId, wantedBytes, key });
    if (roomBytes === null) throw problems.quotaExceeded();
    const giveUp = async (): Promise<void> => {
      writers.remove(blobId);
      await clear(needs, blobId);
      // Where that fails, its lease runs out.
      await store.abandon(id).catch(() => {});
    };
    try {
      const poured = await pour(needs, { blobId, key, roomBytes, limitBytes }, feed);
      const leave = (): void => writers.remove(blobId);
      const settle = async (): Promise<void> => {
        leave();
        await store.finishSegment(blobId, poured.sizeBytes, poured.md5, true);
      };
      return { version: id, blobId, ...poured, settle, leave, giveUp };
    } catch (error) {
      await giveUp();
      throw error;
    }
  });
}

type Source = Pick<Append, "source" | "inspect" | "signal" | "keepsPart">;

/** Opens the source for the time of the work, and has its beginning looked at. */
async function feeding<T>(from: Source, work: (feed: Feed) => Promise<T>): Promise<T> {
  const { keepsPart = false, signal } = from;
  const feed = new Feed(from.source, keepsPart);
  const stop = () => feed.stop(signal?.reason);
  if (signal?.aborted) stop();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    if (from.inspect !== undefined) await from.inspect(await feed.peek(headBytes));
    return await work(feed);
  } finally {
    signal?.removeEventListener("abort", stop);
    feed.leave();
  }
}

/** The segment's blob, durable when it resolves; its writer is spoken for until somebody says otherwise. When it rejects, nothing of it is there. */
async function pour(
  needs: AppendNeeds,
  segment: {
    readonly blobId: string;
    readonly key: WrappedKey | null;
    readonly roomBytes: number;
    readonly limitBytes: number;
  },
  feed: Feed,
): Promise<Omit<Segment, "position">> {
  const { blobs, cipher, writers } = needs;
  const { blobId, key, roomBytes, limitBytes } = segment;
  const ending = new AbortController();
  writers.add(blobId, () => {
    const reason = problems.noSuchUpload();
    ending.abort(reason);
    feed.stop(reason);
  });
  const incoming = new Incoming(needs, blobId, limitBytes, roomBytes);
  try {
    const plain = incoming.take(feed, ending.signal);
    const source = cipher === null || key === null ? plain : cipher.open(key, blobId).encrypt(plain);
    await blobs.write(blobId, source, { signal: ending.signal });
    ending.signal.throwIfAborted();
    // A quiet end with nothing before it is nothing to keep.
    if (feed.failure !== null && incoming.sizeBytes === 0) throw feed.failure.reason;
    return { sizeBytes: incoming.sizeBytes, md5: incoming.md5() };
  } catch (error) {
    writers.remove(blobId);
    await clear(needs, blobId);
    throw ending.signal.aborted ? ending.signal.reason : error;
  }
}

/** Bytes as they pass: counted, hashed, and held to the limit and to the room there is. */
class Incoming {
  readonly #needs: AppendNeeds;
  readonly #blobId: string;
  readonly #limitBytes: number;
  readonly #hash = createHash("md5");
  #roomBytes: number;
  sizeBytes = 0;

  constructor(needs: AppendNeeds, blobId: string, limitBytes: number, roomBytes: number) {
    this.#needs = needs;
    this.#blobId = blobId;
    this.#limitBytes = limitBytes;
    this.#roomBytes = roomBytes;
  }

  async *take(feed: Feed, ending: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const chunk = await feed.next();
      ending.throwIfAborted();
      if (chunk === null) return;
      const sizeBytes = this.sizeBytes + chunk.length;
      if (sizeBytes > this.#limitBytes) throw problems.entityTooLarge();
      if (sizeBytes > this.#roomBytes) await this.#grow(sizeBytes);
      this.#hash.update(chunk);
      this.sizeBytes = sizeBytes;
      yield chunk;
    }
  }

  md5(): Buffer {
    return this.#hash.digest();
  }

  async #grow(neededBytes: number): Promise<void> {
    const { store, stepBytes } = this.#needs;
    // An eighth of what has come: a large file asks some dozens of times, and takes little from others that it may not need.
    const wantedBytes = Math.min(this.#limitBytes, neededBytes + Math.max(stepBytes, Math.ceil(this.#roomBytes / 8)));
    this.#roomBytes = await store.growSegment(this.#blobId, wantedBytes);
    if (this.#roomBytes < neededBytes) throw problems.quotaExceeded();
  }
}

/** Takes back what a failed writer left. What cannot be taken back now is swept when its lease has run out. */
async function clear({ store, blobs }: AppendNeeds, blobId: string): Promise<void> {
  try {
    // Asked first: what failed may have been the answer to `finishSegment` alone.
    if (!(await store.giveUp(blobId))) return;
    await blobs.remove([blobId]);
    await store.forget([blobId]);
  } catch {
    // The store or the database is away.
  }
}
