import type { StorageCore, StoragePart } from "../part.ts";

export { createUploads } from "./uploads.ts";

export function uploadsPart(_core: StorageCore): StoragePart {
  return {};
}
