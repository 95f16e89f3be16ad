import type { Settings } from "../../../kernel/settings.ts";

export const oneTimeSettings = {} satisfies Settings;
