import type { Settings } from "../../../kernel/settings.ts";

export const contentSettings = {} satisfies Settings;
