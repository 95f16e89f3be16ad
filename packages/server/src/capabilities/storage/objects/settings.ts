import type { Settings } from "../../../kernel/settings.ts";

export const objectsSettings = {} satisfies Settings;
