import type { Settings } from "../../../kernel/settings.ts";

/** Options of `postgres_changes`. */
export const rowChangesSettings = {} satisfies Settings;
