import type { Settings } from "../../../kernel/settings.ts";

export const smsSettings = {} satisfies Settings;
