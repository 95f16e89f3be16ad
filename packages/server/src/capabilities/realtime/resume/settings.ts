import type { Settings } from "../../../kernel/settings.ts";

/** Options of what clients get that come back. */
export const resumeSettings = {} satisfies Settings;
