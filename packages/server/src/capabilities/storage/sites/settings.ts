import type { Settings } from "../../../kernel/settings.ts";

export const sitesSettings = {} satisfies Settings;
