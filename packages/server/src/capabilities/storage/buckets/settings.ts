import type { Settings } from "../../../kernel/settings.ts";

export const bucketsSettings = {} satisfies Settings;
