import type { Settings } from "../../../kernel/settings.ts";

export const mfaSettings = {} satisfies Settings;
