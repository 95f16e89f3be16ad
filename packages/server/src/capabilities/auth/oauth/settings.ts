import type { Settings } from "../../../kernel/settings.ts";

export const oauthSettings = {} satisfies Settings;
