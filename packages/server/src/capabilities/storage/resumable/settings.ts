import { integer, type Settings } from "../../../kernel/settings.ts";

export const resumableSettings = {
  storageResumableSeconds: integer({
    env: ["MAINSTAY_STORAGE_RESUMABLE_SECONDS"],
    default: 86_400,
    unit: "s",
    min: 1,
    summary: "How long a resumable upload waits for more bytes until it is given up.",
  }),
  storageResumableUnfinishedPerOwner: integer({
    env: ["MAINSTAY_STORAGE_RESUMABLE_UNFINISHED_PER_OWNER"],
    default: 100,
    unit: "uploads",
    min: 1,
    summary:
      "Most unfinished resumable uploads of one user, or of one address where nobody is signed in. The service role has no limit.",
  }),
  storageResumableSegmentBytes: integer({
    env: ["MAINSTAY_STORAGE_RESUMABLE_SEGMENT_BYTES"],
    default: 16_777_216,
    unit: "bytes",
    min: 1_024,
    summary: "A long request is kept in runs of so many bytes: what a server that is killed can lose of it.",
  }),
  storageResumableSegmentsLimit: integer({
    env: ["MAINSTAY_STORAGE_RESUMABLE_SEGMENTS_LIMIT"],
    default: 10_000,
    unit: "segments",
    min: 1,
    max: 16_000,
    summary: "Most runs of bytes, and so most requests, that one file may come in.",
  }),
  storageResumableReceiveSeconds: integer({
    env: ["MAINSTAY_STORAGE_RESUMABLE_RECEIVE_SECONDS"],
    default: 21_600,
    unit: "s",
    min: 1,
    summary: "Longest time for one request of a resumable upload. What came until then is kept.",
  }),
  storageResumableHoldMs: integer({
    env: ["MAINSTAY_STORAGE_RESUMABLE_HOLD_MS"],
    default: 15_000,
    unit: "ms",
    min: 300,
    summary: "How long an upload stays with a server that says nothing any more; then another takes it over.",
  }),
  storageResumableWaitMs: integer({
    env: ["MAINSTAY_STORAGE_RESUMABLE_WAIT_MS"],
    default: 10_000,
    unit: "ms",
    min: 0,
    summary: "How long a request waits for an earlier one to let go of the upload; then it is to be tried again (423).",
  }),
} satisfies Settings;
