import { flag, integer, type Settings } from "../../../kernel/settings.ts";

export const uploadsSettings = {
  storageUploadTimeoutSeconds: integer({
    env: ["MAINSTAY_STORAGE_UPLOAD_TIMEOUT_SECONDS"],
    default: 3_600,
    unit: "s",
    min: 1,
    max: 86_400,
    summary: "Longest time that a file sent in one request may take to come. Larger files go by resumable uploads.",
  }),
  storageCheckTypes: flag({
    env: ["MAINSTAY_STORAGE_CHECK_TYPES"],
    default: true,
    summary:
      "Whether files for a bucket that restricts types must be of such a type by their bytes too, and not by their name alone.",
  }),
} satisfies Settings;
