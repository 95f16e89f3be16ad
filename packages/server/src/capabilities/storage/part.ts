import type { Route, RouteGroup } from "../../kernel/route.ts";
import type { Buckets } from "./buckets/types.ts";
import type { Content } from "./content/types.ts";
import type { StorageContext } from "./context.ts";
import type { Objects } from "./objects/types.ts";
import type { Uploads } from "./uploads/types.ts";

/** What the rooms with routes build on: rows, bytes, and the way from one to the other. */
export interface StorageCore extends StorageContext {
  readonly buckets: Buckets;
  readonly objects: Objects;
  readonly content: Content;
  readonly uploads: Uploads;
}

/** One matter of storage: what it serves, and how it starts and stops. */
export interface StoragePart {
  /** Under `/storage/v1`. */
  readonly routes?: readonly Route[];
  /** Protocols with a mount and an error shape of their own. */
  readonly groups?: readonly RouteGroup[];
  start?(): Promise<void>;
  stop?(): Promise<void>;
}
