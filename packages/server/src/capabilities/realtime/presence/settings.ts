import type { Settings } from "../../../kernel/settings.ts";

/** Options of presence. */
export const presenceSettings = {} satisfies Settings;
