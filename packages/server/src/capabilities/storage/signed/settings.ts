import { integer, type Settings } from "../../../kernel/settings.ts";

export const signedSettings = {
  storageSignedUrlMaxSeconds: integer({
    env: ["MAINSTAY_STORAGE_SIGNED_URL_MAX_SECONDS"],
    // Apps ask for years, and keep what they get in their own tables and mails: a lower default would break them when they move here, and
    // shortening what they ask for would break them later. Whoever needs no such links sets 7 days, which then holds for those given out, too.
    default: 315_360_000,
    unit: "s",
    min: 1,
    summary:
      "Longest life of a signed URL; more is refused. Lowered, it ends those that are older, and rotating keys with `--revoke` ends all.",
  }),
  storageSignedUploadSeconds: integer({
    env: ["MAINSTAY_STORAGE_SIGNED_UPLOAD_SECONDS", "SIGNED_UPLOAD_URL_EXPIRATION_TIME"],
    default: 7_200,
    unit: "s",
    min: 1,
    summary: "Life of a signed URL for an upload. A resumable upload has to bring its last bytes within it.",
  }),
  storageSignManyMaxPaths: integer({
    env: ["MAINSTAY_STORAGE_SIGN_MANY_MAX_PATHS"],
    default: 1_000,
    unit: "paths",
    min: 1,
    summary: "Most files that one request may ask signed URLs for.",
  }),
} satisfies Settings;
