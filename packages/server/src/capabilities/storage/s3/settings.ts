import type { Settings } from "../../../kernel/settings.ts";

export const s3Settings = {} satisfies Settings;
