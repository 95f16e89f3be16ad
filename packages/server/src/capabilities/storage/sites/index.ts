import type { StorageCore, StoragePart } from "../part.ts";

export function sitesPart(_core: StorageCore): StoragePart {
  return {};
}
