import { BlockList } from "node:net";
import type { ThreadInit } from "../wire.ts";
import { createAddresses } from "./addresses.ts";
import { guardConnections } from "./connections.ts";
import { guardDescriptors } from "./descriptors.ts";
import { guardModules } from "./modules.ts";
import { guardProcess } from "./process.ts";

/** Takes from this thread what functions may not have (threats X01, X23), before any of their code is loaded. Nothing gives it back. */
export function installGuard({ allowedHosts, environment, projectUrl }: ThreadInit): void {
  const { SUPABASE_DB_URL: databaseUrl } = environment;
  guardConnections(createAddresses(allowedHosts, [projectUrl, ...(databaseUrl === undefined ? [] : [databaseUrl])]));
  // What decides about addresses is asked by methods, which nobody may exchange.
  Object.freeze(BlockList.prototype);
  guardProcess(environment);
  guardDescriptors();
  guardModules();
}
