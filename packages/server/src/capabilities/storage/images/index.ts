import type { StorageCore, StoragePart } from "../part.ts";

export function imagesPart(_core: StorageCore): StoragePart {
  return {};
}
