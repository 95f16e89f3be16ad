import type { Settings } from "../../../kernel/settings.ts";

export const signedSettings = {} satisfies Settings;
