import type { Settings } from "../../../kernel/settings.ts";

export const mailSettings = {} satisfies Settings;
