import type { Capability } from "../../kernel/capability.ts";
import type { Observe } from "../../platform/observe/observation.ts";
import type { CatalogHolder } from "../../platform/postgres/catalog/types.ts";
import type { Session } from "../../platform/postgres/session/types.ts";
import { dataBoundary } from "./boundary.ts";
import type { DataSettings } from "./effective.ts";
import { createHandler } from "./handle.ts";
import type { QueryLimits } from "./parse/index.ts";
import { createRoot } from "./root.ts";
import { dataCors, dataRoutes } from "./routes.ts";

export { type CallerContext, createCallerContext } from "./caller-context.ts";
export { searchPathOf } from "./prologue.ts";
export { dataSettings } from "./settings.ts";

const mount = "/rest/v1";

/** Tables, views and functions over REST, in the PostgREST dialect. */
export function createData(needs: {
  readonly session: Session;
  readonly catalog: CatalogHolder;
  readonly settings: DataSettings & QueryLimits;
  readonly observe: Observe;
  /** Of the product, as the OpenAPI document names it. */
  readonly version?: string;
}): Capability {
  const handler = createHandler({ ...needs, mountLength: mount.length });
  const routes = dataRoutes(
    handler,
    createRoot({ session: needs.session, version: needs.version ?? "0", mount }, handler),
    needs.settings.bodyLimitBytes,
  );
  return { name: "data", routes: [{ mount, boundary: dataBoundary, cors: dataCors, routes }] };
}
