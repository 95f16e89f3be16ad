import type { StorageCore, StoragePart } from "../part.ts";
import { accountStore } from "./account-store.ts";
import { changeRoutes } from "./change-routes.ts";
import { readRoutes } from "./read-routes.ts";

export { createObjects } from "./objects.ts";

export function objectsPart(core: StorageCore): StoragePart {
  return {
    routes: [...changeRoutes(core), ...readRoutes(core)],
    start: () => accountStore.setPolicy(core.db, core.settings.storageErasedWithAccount),
  };
}
