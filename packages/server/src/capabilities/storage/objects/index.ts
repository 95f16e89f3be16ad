import type { StorageCore, StoragePart } from "../part.ts";

export { createObjects } from "./objects.ts";

export function objectsPart(_core: StorageCore): StoragePart {
  return {};
}
