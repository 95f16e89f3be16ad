import { randomUUID } from "node:crypto";
import type { StorageContext } from "../context.ts";
import type { Cipher } from "../encryption/types.ts";
import { problems } from "../problems.ts";
import { append, receive } from "./append.ts";
import { createBlobReader } from "./blob-reader.ts";
import { copyVersion } from "./copy.ts";
import { createReadStore } from "./read-store.ts";
import { openReaders } from "./readers.ts";
import { Sweeper } from "./sweeper.ts";
import type { Content } from "./types.ts";
import { createWriteStore } from "./write-store.ts";
import { Writers } from "./writers.ts";

export { sampleSegments, sinceUnswept } from "./check.ts";

export type ContentContext = Pick<StorageContext, "db" | "blobs" | "settings" | "observe">;

/** Ids come from clients too: what is none is unknown, and nothing else is asked. */
const isVersion = (id: string): boolean => /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id);

/** @see Content */
export function createContent({ db, blobs, settings, observe }: ContentContext, cipher: Cipher | null): Content {
  const { storageUserQuotaBytes: quotaBytes, storageWriterLeaseMs: leaseMs } = settings;
  const store = createWriteStore(db, { quotaBytes, leaseMs });
  const reads = createReadStore(db);
  const writers = new Writers(store, leaseMs);
  const missed = (blob: string, error: unknown): void => observe({ kind: "storage.damaged", blob, error });
  const readers = openReaders({ store: reads, blobs: createBlobReader(blobs, cipher, missed), settings });
  const sweeper = new Sweeper({ db, blobs, settings, observe });
  const needs = { store, blobs, cipher, writers, stepBytes: settings.storageQuotaStepBytes };

  return {
    async begin(version) {
      const id = randomUUID();
      if (!(await store.begin(id, version))) throw problems.quotaExceeded();
      return id;
    },

    async append(version, segment) {
      if (!isVersion(version)) throw problems.noSuchUpload();
      return append(needs, version, segment);
    },

    receive: (version, file) => receive(needs, version, file),

    async segments(version) {
      return isVersion(version) ? reads.segments(version) : [];
    },

    async complete(version, positions) {
      if (!isVersion(version) || !(await store.complete(version, positions))) throw problems.noSuchUpload();
      return reads.segments(version);
    },

    async concatenate(version, parts) {
      const all = new Set([version, ...parts]);
      const isPossible = all.size === parts.length + 1 && [...all].every(isVersion);
      if (!isPossible || !(await store.concatenate(version, parts))) throw problems.noSuchUpload();
    },

    async extend(version, moreMs) {
      if (!isVersion(version) || !(await store.extend(version, moreMs))) throw problems.noSuchUpload();
    },

    async abandon(version) {
      if (isVersion(version)) await store.abandon(version);
    },

    async copy(from, to) {
      const reader = isVersion(from) ? await readers.open(from) : null;
      if (reader === null) throw problems.noSuchKey();
      return copyVersion({ store, blobs, writers }, from, reader.sizeBytes, to);
    },

    async open(version) {
      return isVersion(version) ? readers.open(version) : null;
    },

    async openReceived(version) {
      return isVersion(version) ? readers.openReceived(version) : null;
    },

    start() {
      sweeper.start();
    },

    async stop() {
      await sweeper.stop();
    },
  };
}
