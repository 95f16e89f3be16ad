import type { StorageCore, StoragePart } from "../part.ts";
import type { Uploads } from "./types.ts";

export function createUploads(_needs: Omit<StorageCore, "uploads">): Uploads {
  return {} as Uploads;
}

export function uploadsPart(_core: StorageCore): StoragePart {
  return {};
}
