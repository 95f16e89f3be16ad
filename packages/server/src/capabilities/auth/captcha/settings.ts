import type { Settings } from "../../../kernel/settings.ts";

export const captchaSettings = {} satisfies Settings;
