import type { Settings } from "../../../kernel/settings.ts";

/** Options of websockets and their limits. */
export const socketSettings = {} satisfies Settings;
