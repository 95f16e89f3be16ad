import type { Buckets } from "../buckets/types.ts";
import type { StorageContext } from "../context.ts";
import type { StorageCore, StoragePart } from "../part.ts";
import type { Objects } from "./types.ts";

export function createObjects(_context: StorageContext, _buckets: Buckets): Objects {
  return {} as Objects;
}

export function objectsPart(_core: StorageCore): StoragePart {
  return {};
}
