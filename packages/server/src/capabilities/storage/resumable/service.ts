import { createCountedFor } from "../counted-for.ts";
import type { WriteOrder } from "../objects/types.ts";
import type { StorageCore } from "../part.ts";
import { problems } from "../problems.ts";
import { checkBytes, headBytes } from "../uploads/sniff.ts";
import type { OpenUpload } from "../uploads/types.ts";
import type { Holds } from "./holds.ts";
import { Incoming } from "./incoming.ts";
import { idOf, nameOf, type UploadName } from "./location.ts";
import { type Asker, type Begun, isTheirs, memoOf, orderOf } from "./memo.ts";
import { resumableProblems } from "./problems.ts";
import { type Delivery, offsetOf, type Received, Receiver } from "./receive.ts";
import { resumableStore, type UploadRow } from "./store.ts";

/** A new upload, and what it has already. */
export interface Created extends Received {
  readonly id: string;
}

export interface CreateWish extends Begun {
  readonly asker: Asker;
  readonly address: string;
  readonly isPartial: boolean;
  readonly signal: AbortSignal;
  /** Bytes that come with it; `null` when none do. */
  readonly bytes: Pick<Delivery, "incoming" | "announcedBytes" | "checksum"> | null;
}

/** How an upload is, as anybody may know who knows its URL. */
export interface Progress {
  readonly offsetBytes: number;
  readonly lengthBytes: number | null;
  readonly expiresAtMs: number | null;
  readonly metadata: string;
  readonly concat: string | null;
}

/** What can be done with resumable uploads, in the words of TUS. */
export class Resumable {
  readonly #core: StorageCore;
  readonly #holds: Holds;
  readonly #receiver: Receiver;
  readonly #countedFor: ReturnType<typeof createCountedFor>;

  constructor(core: StorageCore, holds: Holds) {
    this.#core = core;
    this.#holds = holds;
    this.#receiver = new Receiver(core, holds);
    this.#countedFor = createCountedFor(core.signer);
  }

  /** @throws Problem when the file may not be uploaded; nothing is there then */
  async create(wish: CreateWish): Promise<Created> {
    const { asker, metadata, sizeBytes, bytes, isPartial, signal } = wish;
    const memo = memoOf(asker, wish);
    const { version } = await this.#begin(
      orderOf(memo, metadata.bucketId, asker.who, "storage.tus.upload.create"),
      wish,
    );
    const id = idOf({ bucketId: metadata.bucketId, key: metadata.key, version });
    // What is empty is complete, and nobody would come back for it.
    if (bytes === null && (sizeBytes !== 0 || isPartial)) {
      return { id, offsetBytes: 0, isFinished: false, expiresAtMs: this.#expiry() };
    }
    try {
      const brought = bytes ?? { incoming: new Incoming(nothing()), announcedBytes: 0, checksum: null };
      const received = await this.#receiver.receive(version, {
        asker,
        offsetBytes: 0,
        lengthBytes: null,
        signal,
        ...brought,
      });
      return { id, ...received };
    } catch (error) {
      // Nobody knows its URL yet.
      await this.#giveUp(version);
      throw error;
    }
  }

  /** Puts partial uploads together, which end with that. @throws Problem */
  async concatenate(wish: CreateWish, parts: readonly (UploadName | null)[]): Promise<Created> {
    const { asker, metadata } = wish;
    const rows = await Promise.all(parts.map((part) => this.#partOf(part, wish)));
    const sizeBytes = rows.reduce((sum, row) => sum + row.receivedBytes, 0);
    const memo = memoOf(asker, { ...wish, sizeBytes });
    const order = orderOf(memo, metadata.bucketId, asker.who, "storage.tus.upload.create");
    // Announced as nothing: its bytes have been counted with its parts, and come with them.
    const upload = await this.#begin({ ...order, sizeBytes: null }, { ...wish, sizeBytes });
    const { version, bucket, limitBytes } = upload;
    try {
      if (sizeBytes > limitBytes) throw problems.entityTooLarge();
      if (bucket.allowedMimeTypes !== null && this.#core.settings.storageCheckTypes) {
        await checkBytes(memo.contentType, bucket.allowedMimeTypes, headOf(rows));
      }
      await this.#core.content.concatenate(
        version,
        rows.map((row) => row.version),
      );
      await this.#core.uploads.finish(upload, order);
    } catch (error) {
      await this.#giveUp(version);
      throw error;
    }
    for (const row of [{ version }, ...rows]) await resumableStore.forget(this.#core.db, row.version).catch(() => {});
    const id = idOf({ bucketId: metadata.bucketId, key: metadata.key, version });
    return { id, offsetBytes: sizeBytes, isFinished: true, expiresAtMs: null };
  }

  /** Where it is to go on. A request that hangs makes room for whoever asks. @throws Problem `NoSuchUpload`, `ResourceLocked` */
  async look(id: string, signal: AbortSignal): Promise<Progress> {
    let row = await this.#find(id);
    if (row.isHeld) {
      const isHeld = async (): Promise<boolean> => {
        row = await this.#find(id);
        return row.isHeld;
      };
      await this.#holds.settled(row.version, isHeld, signal);
    }
    const { lengthBytes, expiresAtMs, memo } = row;
    return { offsetBytes: offsetOf(row), lengthBytes, expiresAtMs, metadata: memo.metadata, concat: memo.concat };
  }

  /** @param askerOf told which object it is about, for signatures are bound to one @throws Problem */
  async receive(
    id: string,
    askerOf: (row: UploadRow) => Promise<Asker>,
    delivery: Omit<Delivery, "asker">,
  ): Promise<Received> {
    const row = await this.#find(id);
    const asker = await this.#checked(row, askerOf);
    if (row.memo.concat?.startsWith("final") === true) throw resumableProblems.isFinal();
    if (row.isKept) {
      // The answer to the last bytes was lost on its way.
      if (delivery.offsetBytes !== row.receivedBytes || delivery.announcedBytes !== 0) {
        throw resumableProblems.offsetConflict();
      }
      return { offsetBytes: row.receivedBytes, isFinished: true, expiresAtMs: null };
    }
    return this.#receiver.receive(row.version, { ...delivery, asker });
  }

  /** Ends an upload that is not finished, whoever writes to it. @throws Problem */
  async terminate(id: string, askerOf: (row: UploadRow) => Promise<Asker>, signal: AbortSignal): Promise<void> {
    const row = await this.#find(id);
    const asker = await this.#checked(row, askerOf);
    if (row.isKept) throw resumableProblems.isFinished();
    const order = orderOf(row.memo, row.bucketId, asker.who, "storage.tus.upload.delete");
    await this.#core.objects.mayWrite(order).catch((error: unknown) => {
      // That somebody else's file has the name by now is no reason to go on.
      if ((error as { code?: unknown }).code !== "KeyAlreadyExists") throw error;
    });
    const hold = await this.#holds.take(row.version, signal);
    try {
      await this.#core.uploads.abandon(row.version);
      await resumableStore.forget(this.#core.db, row.version);
    } finally {
      await hold.release();
    }
  }

  async #begin(order: WriteOrder, wish: CreateWish): Promise<OpenUpload> {
    const { uploads, db, settings } = this.#core;
    const { who, ownerId } = wish.asker;
    const memo = memoOf(wish.asker, wish);
    const leaseMs = settings.storageResumableSeconds * 1_000;
    const upload = await uploads.open(order, { leaseMs, upload: { ...memo } });
    const most = settings.storageResumableUnfinishedPerOwner;
    try {
      const isBegun = await resumableStore.begin(db, {
        version: upload.version,
        countedFor: this.#countedFor({ role: who.role, ownerId: ownerId ?? who.subject, address: wish.address }),
        most,
        lengthBytes: wish.sizeBytes,
        isPartial: wish.isPartial,
      });
      if (!isBegun) throw problems.tooManyUploads(most);
    } catch (error) {
      await this.#giveUp(upload.version);
      throw error;
    }
    return upload;
  }

  async #find(id: string): Promise<UploadRow> {
    const name = nameOf(id);
    const row = name === null ? null : await resumableStore.find(this.#core.db, name.version);
    if (row === null || row.bucketId !== name?.bucketId || row.memo.name !== name.key) throw problems.noSuchUpload();
    return row;
  }

  /** What is somebody else's is not there (threats S12, S14). */
  async #checked(row: UploadRow, askerOf: (row: UploadRow) => Promise<Asker>): Promise<Asker> {
    const asker = await askerOf(row);
    if (!isTheirs(row.memo, asker)) throw problems.noSuchUpload();
    return asker;
  }

  async #partOf(part: UploadName | null, { asker, metadata }: CreateWish): Promise<UploadRow> {
    const row = part === null ? null : await this.#find(idOf(part)).catch(() => null);
    const isUsable =
      row?.isPartial === true &&
      !row.isHeld &&
      row.receivedBytes === row.lengthBytes &&
      row.bucketId === metadata.bucketId &&
      isTheirs(row.memo, asker);
    if (!isUsable) throw resumableProblems.unusableParts();
    return row;
  }

  #expiry(): number {
    return this.#core.clock.nowMs() + this.#core.settings.storageResumableSeconds * 1_000;
  }

  /** Where that fails, it expires: what went wrong first is what the caller hears. */
  async #giveUp(version: string): Promise<void> {
    await this.#core.uploads.abandon(version).catch(() => {});
    await resumableStore.forget(this.#core.db, version).catch(() => {});
  }
}

async function* nothing(): AsyncIterable<Buffer> {}

/** The first bytes of what the parts are together: each has kept its own. */
function headOf(rows: readonly UploadRow[]): Buffer {
  return Buffer.concat(rows.map((row) => Buffer.from(row.head, "base64"))).subarray(0, headBytes);
}
