/** The catalogue: what the database holds, as a value in memory. */
export { type CatalogNeeds, openCatalog } from "./open.ts";
export { catalogSettings } from "./settings.ts";
export type * from "./types.ts";
