import type { Settings } from "../../../kernel/settings.ts";

export const servingSettings = {} satisfies Settings;
