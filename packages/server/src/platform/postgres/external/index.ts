export { connectTo, pgConfigOf } from "./client.ts";
export { type ConnectionTarget, parseConnectionUrl } from "./connection-url.ts";
export { checkExternalPostgres, type ExternalPostgres, openExternalPostgres } from "./open.ts";
export { type PatchLevel, patchLevelOf } from "./patch-level.ts";
export type { Requirement } from "./requirements.ts";
