import type { Settings } from "../../../kernel/settings.ts";

export const scanSettings = {} satisfies Settings;
