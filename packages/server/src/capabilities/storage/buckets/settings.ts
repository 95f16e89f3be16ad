import { integer, type Settings } from "../../../kernel/settings.ts";

export const bucketsSettings = {
  storageRememberedBuckets: integer({
    env: ["MAINSTAY_STORAGE_REMEMBERED_BUCKETS"],
    default: 10_000,
    unit: "buckets",
    min: 0,
    max: 1_000_000,
    summary: "How many buckets a node keeps in memory with their rules.",
  }),
} satisfies Settings;
