import type { Settings } from "../../../kernel/settings.ts";

export const uploadsSettings = {} satisfies Settings;
