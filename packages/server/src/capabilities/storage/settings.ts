import { flag, integer, type Settings, text } from "../../kernel/settings.ts";
import { bucketsSettings } from "./buckets/settings.ts";
import { contentSettings } from "./content/settings.ts";
import { encryptionSettings } from "./encryption/settings.ts";
import { imagesSettings } from "./images/settings.ts";
import { objectsSettings } from "./objects/settings.ts";
import { resumableSettings } from "./resumable/settings.ts";
import { s3Settings } from "./s3/settings.ts";
import { scanSettings } from "./scan/settings.ts";
import { servingSettings } from "./serving/settings.ts";
import { signedSettings } from "./signed/settings.ts";
import { sitesSettings } from "./sites/settings.ts";
import { storeSettings } from "./store-settings.ts";
import { uploadsSettings } from "./uploads/settings.ts";

/** Options of storage as a whole, and where its bytes are. */
const wholeSettings = {
  storageEnabled: flag({
    env: ["MAINSTAY_STORAGE_ENABLED"],
    default: true,
    summary: "Whether files are served at `/storage/v1`.",
  }),
  storageBackend: text<"folder" | "s3">({
    env: ["MAINSTAY_STORAGE_BACKEND"],
    default: "folder",
    choices: ["folder", "s3"],
    summary:
      "Where the bytes of files are: in a folder of this machine, or in a bucket of any S3, which several nodes can share.",
  }),
  storageFolder: text<string | null>({
    env: ["MAINSTAY_STORAGE_FOLDER", "FILE_STORAGE_BACKEND_PATH"],
    default: null,
    summary: "The folder, where it is not `.mainstay/objects` of the project.",
  }),
  storageFileSizeLimitBytes: integer({
    env: ["MAINSTAY_STORAGE_FILE_SIZE_LIMIT_BYTES", "FILE_SIZE_LIMIT"],
    default: 52_428_800,
    unit: "bytes",
    min: 1,
    summary: "Largest file, whichever way it comes. A bucket may allow less.",
  }),
} satisfies Settings;

/** Every option of storage, each kept with the room that reads it. */
export const storageSettings = {
  ...wholeSettings,
  ...storeSettings,
  ...contentSettings,
  ...encryptionSettings,
  ...uploadsSettings,
  ...objectsSettings,
  ...bucketsSettings,
  ...servingSettings,
  ...signedSettings,
  ...resumableSettings,
  ...imagesSettings,
  ...s3Settings,
  ...sitesSettings,
  ...scanSettings,
} satisfies Settings;
