import type { StorageCore, StoragePart } from "../part.ts";

export function s3Part(_core: StorageCore): StoragePart {
  return {};
}
