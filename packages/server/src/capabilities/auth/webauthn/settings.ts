import type { Settings } from "../../../kernel/settings.ts";

export const webauthnSettings = {} satisfies Settings;
