import type { StorageCore, StoragePart } from "../part.ts";

export function resumablePart(_core: StorageCore): StoragePart {
  return {};
}
