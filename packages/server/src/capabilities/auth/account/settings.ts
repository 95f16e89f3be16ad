import type { Settings } from "../../../kernel/settings.ts";

export const accountSettings = {} satisfies Settings;
