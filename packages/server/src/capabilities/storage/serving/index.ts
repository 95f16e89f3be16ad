import type { StorageCore, StoragePart } from "../part.ts";

export function servingPart(_core: StorageCore): StoragePart {
  return {};
}
