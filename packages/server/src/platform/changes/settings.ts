import type { Settings } from "../../kernel/settings.ts";

/** Options of the log that readers follow. */
export const changesSettings = {} satisfies Settings;
