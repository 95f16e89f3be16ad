import { isKey } from "../names.ts";
import type { StorageCore } from "../part.ts";
import type { SiteSource } from "./types.ts";

/** The files of a bucket, as everybody may see them: of one that is not public there are none. */
export function bucketSource({ buckets, objects, content }: StorageCore, bucketId: string): SiteSource {
  return {
    async find(path) {
      if (!isKey(path)) return null;
      const bucket = await buckets.find(bucketId);
      if (bucket === null || !bucket.isPublic) return null;
      const object = await objects.findAsServer(bucketId, path);
      if (object === null || object.version === null) return null;
      const reader = await content.open(object.version);
      if (reader === null) return null;
      return {
        sizeBytes: reader.sizeBytes,
        etag: object.etag,
        lastModifiedMs: object.lastModifiedMs,
        contentType: object.contentType,
        contentEncoding: object.contentEncoding,
        cacheControl: object.cacheControl,
        async read(range, call) {
          const whole = await reader.whole();
          if (whole === null) return reader.stream(range ?? undefined, call.signal);
          return range === null ? whole : whole.subarray(range.from, range.to);
        },
        close: async () => {},
      };
    },
  };
}
