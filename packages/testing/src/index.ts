export { type BootedApp, type BootOptions, boot } from "./boot.ts";
export { clusterUrl, type TestDatabase, testDatabase } from "./database.ts";
export { freePort } from "./free-port.ts";
export { type OwnPostgres, openOwnPostgres } from "./own-postgres.ts";
export { templateDatabase } from "./template.ts";
