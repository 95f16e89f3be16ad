export { type EmbeddedPostgres, type EmbeddedPostgresOptions, openEmbeddedPostgres } from "./open.ts";
export { type EmbeddedPostgresSettings, embeddedPostgresSettings } from "./settings.ts";
