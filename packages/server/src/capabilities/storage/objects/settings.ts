import { flag, integer, type Settings } from "../../../kernel/settings.ts";

export const objectsSettings = {
  storageListLimit: integer({
    env: ["MAINSTAY_STORAGE_LIST_LIMIT"],
    default: 1_500,
    unit: "rows",
    min: 1,
    max: 100_000,
    summary: "Most names one page of a list of files has. Who asks for more gets so many.",
  }),
  storageErasedWithAccount: flag({
    env: ["MAINSTAY_STORAGE_ERASED_WITH_ACCOUNT"],
    default: true,
    summary: "Whether a person's files go when the account is deleted. Otherwise they stay, as nobody's.",
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
