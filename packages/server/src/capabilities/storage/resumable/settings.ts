import type { Settings } from "../../../kernel/settings.ts";

export const resumableSettings = {} satisfies Settings;
