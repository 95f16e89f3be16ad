import type { Settings } from "../../../kernel/settings.ts";

export const hooksSettings = {} satisfies Settings;
