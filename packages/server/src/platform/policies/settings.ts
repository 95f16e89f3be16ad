import type { Settings } from "../../kernel/settings.ts";

/** Options of what decides who sees which rows. */
export const policiesSettings = {} satisfies Settings;
