import type { Settings } from "../../../kernel/settings.ts";

export const auditSettings = {} satisfies Settings;
