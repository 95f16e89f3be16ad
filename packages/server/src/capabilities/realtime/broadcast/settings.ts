import type { Settings } from "../../../kernel/settings.ts";

/** Options of broadcast. */
export const broadcastSettings = {} satisfies Settings;
