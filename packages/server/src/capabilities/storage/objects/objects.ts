import { randomUUID } from "node:crypto";
import { sqlStateOf } from "../../../platform/postgres/sql-state.ts";
import type { StorageContext } from "../context.ts";
import { isKey, readKey } from "../names.ts";
import { problems } from "../problems.ts";
import { metadataOf, storedObject } from "./metadata.ts";
import { orRefuse, refusalOf } from "./refusals.ts";
import { type ObjectFacts, objectStore } from "./store.ts";
import type { Objects, WriteOrder } from "./types.ts";

/** Deadlocks and the like: whoever lost tries again, so many times. */
const tries = 3;

/** @see Objects */
export function createObjects(context: StorageContext): Objects {
  const { db, session, settings, clock } = context;

  return {
    async find(who, bucketId, name, operation) {
      if (!isKey(name)) return null;
      const row = await orRefuse(objectStore.find({ session, who, operation }, bucketId, name));
      return row === null ? null : storedObject(row);
    },

    async findAsServer(bucketId, name) {
      if (!isKey(name)) return null;
      const row = await orRefuse(objectStore.findAsServer(db, bucketId, name));
      return row === null ? null : storedObject(row);
    },

    async mayWrite(order) {
      readKey(order.name);
      // Where the size is not known yet, a policy about it must not refuse what it will let in: `write` asks again, and knows.
      const sizes = order.sizeBytes === null ? [1, settings.storageFileSizeLimitBytes] : [order.sizeBytes];
      let refusal: unknown;
      for (const sizeBytes of sizes) {
        try {
          const facts = factsOf(order, { sizeBytes, etag: '""' }, clock.nowMs());
          return await objectStore.tryWrite({ session, ...order }, facts, randomUUID());
        } catch (error) {
          refusal ??= error;
          if (sqlStateOf(error) !== "42501") break;
        }
      }
      throw refusalOf(refusal, meanings);
    },

    async write(order, written) {
      readKey(order.name);
      const facts = factsOf(order, written, clock.nowMs());
      for (let left = tries; ; left--) {
        try {
          return storedObject(await objectStore.write(db, { session, ...order }, facts, written));
        } catch (error) {
          const state = sqlStateOf(error);
          const isWorthAnother = state === "40P01" || state === "40001";
          if (!isWorthAnother || left === 1) throw refusalOf(error, meanings);
        }
      }
    },
  };
}

const meanings = { taken: problems.keyAlreadyExists, unreferenced: problems.noSuchBucket };

function factsOf(
  order: WriteOrder,
  { sizeBytes, etag }: { readonly sizeBytes: number; readonly etag: string },
  lastModifiedMs: number,
): ObjectFacts {
  const { bucketId, name, ownerId, userMetadata, isUpsert, contentType, contentEncoding, cacheControl } = order;
  const metadata = metadataOf({ sizeBytes, etag, contentType, contentEncoding, cacheControl, lastModifiedMs });
  return { bucketId, name, ownerId, metadata, userMetadata, isUpsert };
}
