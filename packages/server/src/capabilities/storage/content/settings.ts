import { integer, type Settings } from "../../../kernel/settings.ts";

export const contentSettings = {
  storageUserQuotaBytes: integer({
    env: ["MAINSTAY_STORAGE_USER_QUOTA_BYTES"],
    default: 0,
    unit: "bytes",
    min: 0,
    summary: "How much the files of one owner may have together, uploads under way included; 0 sets no limit.",
  }),
  storageQuotaStepBytes: integer({
    env: ["MAINSTAY_STORAGE_QUOTA_STEP_BYTES"],
    default: 4_194_304,
    unit: "bytes",
    min: 65_536,
    summary: "How much of a quota an upload of unknown length takes at a time, while it grows.",
  }),
  storageWriterLeaseMs: integer({
    env: ["MAINSTAY_STORAGE_WRITER_LEASE_MS"],
    default: 60_000,
    unit: "ms",
    min: 1_000,
    max: 3_600_000,
    summary: "After so long without a word of the server that receives it, an upload counts as broken off.",
  }),
  storageMemoryBytes: integer({
    env: ["MAINSTAY_STORAGE_MEMORY_BYTES"],
    default: 33_554_432,
    unit: "bytes",
    min: 0,
    summary: "How much of small files is kept in memory, as they were uploaded; 0 keeps none.",
  }),
  storageMemoryFileBytes: integer({
    env: ["MAINSTAY_STORAGE_MEMORY_FILE_BYTES"],
    default: 65_536,
    unit: "bytes",
    min: 0,
    max: 4_194_304,
    summary: "Largest file that is kept in memory.",
  }),
  storageRememberedSegments: integer({
    env: ["MAINSTAY_STORAGE_REMEMBERED_SEGMENTS"],
    default: 50_000,
    unit: "segments",
    min: 0,
    summary:
      "Of how many runs of bytes it is remembered where they are; most files are one. Each costs some 500 bytes.",
  }),
  storageSweepMs: integer({
    env: ["MAINSTAY_STORAGE_SWEEP_MS"],
    default: 60_000,
    unit: "ms",
    min: 100,
    max: 86_400_000,
    summary: "How often bytes that nobody needs are looked for.",
  }),
  storageReadGraceMs: integer({
    env: ["MAINSTAY_STORAGE_READ_GRACE_MS"],
    default: 600_000,
    unit: "ms",
    min: 0,
    max: 604_800_000,
    summary: "How long the bytes of a deleted or replaced file are left for those who have begun to read them.",
  }),
} satisfies Settings;
