import type { Settings } from "../../../kernel/settings.ts";

/** Options of joining and staying on channels. */
export const channelSettings = {} satisfies Settings;
