import type { CorsPolicy } from "../../../kernel/route.ts";

/** What pages may send and read over S3: a preflight's own headers are allowed besides. */
export const s3Cors: CorsPolicy = {
  allowMethods: "GET, HEAD, PUT, POST, DELETE, OPTIONS",
  allowHeaders:
    "authorization, content-type, content-md5, cache-control, range, if-match, if-none-match, if-modified-since, if-unmodified-since, x-amz-date, " +
    "x-amz-content-sha256, x-amz-security-token, x-amz-user-agent, x-amz-decoded-content-length, x-amz-trailer, x-amz-checksum-mode, amz-sdk-request, " +
    "amz-sdk-invocation-id",
  exposeHeaders:
    "Content-Length, Content-Range, Content-Disposition, ETag, Last-Modified, Accept-Ranges, Cache-Control, Location, x-amz-request-id, " +
    "x-amz-checksum-crc32, x-amz-checksum-crc32c, x-amz-checksum-crc64nvme, x-amz-checksum-sha1, x-amz-checksum-sha256, x-amz-checksum-type, Retry-After",
  maxAgeSeconds: 86_400,
};
