import { integer, type Settings } from "../../../kernel/settings.ts";

export const objectsSettings = {
  storageListLimit: integer({
    env: ["MAINSTAY_STORAGE_LIST_LIMIT"],
    default: 1_500,
    unit: "rows",
    min: 1,
    max: 100_000,
    summary: "Most names one page of a list of files has. Who asks for more gets so many.",
  }),
  storageRemoveLimit: integer({
    env: ["MAINSTAY_STORAGE_REMOVE_LIMIT"],
    default: 1_000,
    unit: "objects",
    min: 1,
    max: 100_000,
    summary: "Most files one request deletes.",
  }),
} satisfies Settings;
