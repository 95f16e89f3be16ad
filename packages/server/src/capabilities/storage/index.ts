import type { Capability } from "../../kernel/capability.ts";
import { storageBoundary } from "./boundary.ts";
import { bucketsPart, openBuckets } from "./buckets/index.ts";
import { createContent } from "./content/index.ts";
import { createTools, type StorageTools } from "./content/tools.ts";
import type { StorageContext } from "./context.ts";
import { declareBuckets } from "./declared/index.ts";
import type { Declared } from "./declared/types.ts";
import { openCipher } from "./encryption/index.ts";
import { imagesPart } from "./images/index.ts";
import { notServedPart } from "./not-served.ts";
import { createObjects, objectsPart } from "./objects/index.ts";
import type { StorageCore, StoragePart } from "./part.ts";
import { keptByNoCache } from "./private.ts";
import { resumablePart } from "./resumable/index.ts";
import { mount, storageCors } from "./routes.ts";
import { s3Part } from "./s3/index.ts";
import { servingPart } from "./serving/index.ts";
import { signedPart } from "./signed/index.ts";
import { sitesPart } from "./sites/index.ts";
import { statusPart } from "./status.ts";
import { createUploads, uploadsPart } from "./uploads/index.ts";

export type { Finding as StorageFinding } from "./content/check.ts";
export type { StorageTools } from "./content/tools.ts";
export type { DeclaredBucket } from "./declared/types.ts";
export { openCipher } from "./encryption/index.ts";
export { examineStorage } from "./examine/index.ts";
export type { StorageExamination } from "./examine/types.ts";
export { hasKeptBytes } from "./kept-store.ts";
export type { BlobStore, Scanner, Verdict } from "./ports.ts";
export { type AccessKey, type AccessKeys, createAccessKeys, type KeyOrder } from "./s3/index.ts";
export { storageSettings } from "./settings.ts";

/** For commands: what can be done with files without serving them. The caller closes the store. */
export function createStorageTools(needs: Pick<StorageContext, "db" | "blobs" | "settings" | "observe">): StorageTools {
  return createTools(needs, openCipher(needs.settings, needs.observe));
}

/**
 * Files: facts in SQL, bytes behind a port, under `/storage/v1` (protocols: storage). Switched off, it serves nothing. `declared`: what is to be there when
 * it has started.
 */
export function createStorage(context: StorageContext, declared?: Declared): Capability {
  if (!context.settings.storageEnabled) return { name: "storage", routes: [] };
  const cipher = openCipher(context.settings, context.observe);
  const content = createContent(context, cipher);
  const buckets = openBuckets(context);
  const objects = createObjects(context);
  const uploads = createUploads({ ...context, content, buckets, objects });
  const core: StorageCore = { ...context, content, buckets, objects, uploads };
  const parts: readonly StoragePart[] = [
    statusPart,
    bucketsPart(core),
    objectsPart(core),
    uploadsPart(core),
    servingPart(core),
    signedPart(core),
    imagesPart(core),
    resumablePart(core),
    s3Part(core),
    sitesPart(core),
    notServedPart(),
  ];
  return {
    name: "storage",
    routes: [
      {
        mount,
        boundary: storageBoundary,
        cors: storageCors,
        routes: parts.flatMap(({ routes = [] }) => routes.map(keptByNoCache)),
      },
      ...parts.flatMap(({ groups = [] }) =>
        groups.map((group) => ({ ...group, routes: group.routes.map(keptByNoCache) })),
      ),
    ],
    async start() {
      await buckets.start();
      content.start();
      for (const part of parts) await part.start?.();
      if (declared !== undefined) await declareBuckets(core, declared);
    },
    async stop() {
      for (const part of parts.toReversed()) await part.stop?.();
      await content.stop();
      await buckets.stop();
      await context.scanner?.close();
      await context.blobs.close();
    },
  };
}
