import type { Settings } from "../../../kernel/settings.ts";

export const encryptionSettings = {} satisfies Settings;
