import type { CorsPolicy } from "../../kernel/route.ts";

export const mount = "/storage/v1";

/** What pages may send and read (protocols: serving headers, resumable uploads). */
export const storageCors: CorsPolicy = {
  allowMethods: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
  allowHeaders:
    "authorization, apikey, x-client-info, content-type, cache-control, range, if-match, if-none-match, if-modified-since, if-range, x-upsert, " +
    "x-metadata, x-signature, tus-resumable, upload-length, upload-metadata, upload-offset, upload-concat, upload-defer-length, upload-checksum, " +
    "x-http-method-override, x-requested-with, x-request-id",
  exposeHeaders:
    "Content-Length, Content-Range, Content-Disposition, ETag, Last-Modified, Accept-Ranges, Cache-Control, Location, Tus-Version, Tus-Resumable, " +
    "Tus-Max-Size, Tus-Extension, Tus-Checksum-Algorithm, Upload-Metadata, Upload-Offset, Upload-Length, Upload-Expires, Upload-Concat, " +
    "X-Transformations, X-Request-Id, Retry-After",
  maxAgeSeconds: 86_400,
};
