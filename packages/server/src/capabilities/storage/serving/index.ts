import type { StorageCore, StoragePart } from "../part.ts";
import { servingRoutes } from "./routes.ts";
import { createServing } from "./serve.ts";

export { type Condition, conditionOf, isRangeOfThis, type Validators } from "./conditions.ts";
export { attachment } from "./disposition.ts";
export type { Audience } from "./headers.ts";
export { contentRange, rangesOf } from "./ranges.ts";
export { downloadOf } from "./routes.ts";
export { createServing, type ServeOptions, type Serving } from "./serve.ts";
export { type ServedType, servedTypeOf } from "./served-type.ts";

/** Files out. */
export function servingPart(core: StorageCore): StoragePart {
  return { routes: servingRoutes(core, createServing(core)) };
}
