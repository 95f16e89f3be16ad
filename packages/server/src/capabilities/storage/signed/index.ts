import type { StorageCore, StoragePart } from "../part.ts";

export function signedPart(_core: StorageCore): StoragePart {
  return {};
}
