import type { StorageCore, StoragePart } from "../part.ts";
import { uploadRoutes } from "./routes.ts";

export {
  defaultCacheControl,
  defaultContentType,
  readCacheControl,
  readContentEncoding,
  readEncodedMetadata,
  readMetadata,
} from "./facts.ts";
export { inspectionOf, inspectKept } from "./inspection.ts";
export { isAllowedType } from "./mime-types.ts";
export { takeIn, uploadRouteOptions } from "./routes.ts";
export { createUploads } from "./uploads.ts";

/** Files in: as a form or a raw body. */
export function uploadsPart(core: StorageCore): StoragePart {
  return { routes: uploadRoutes(core) };
}
