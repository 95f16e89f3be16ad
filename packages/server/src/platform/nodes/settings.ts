import type { Settings } from "../../kernel/settings.ts";

/** Options of how the nodes of one database know each other. */
export const nodesSettings = {} satisfies Settings;
