import type { Settings } from "../../../kernel/settings.ts";

export const imagesSettings = {} satisfies Settings;
