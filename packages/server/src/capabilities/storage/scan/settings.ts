import { integer, type Settings, text } from "../../../kernel/settings.ts";

export const scanSettings = {
  storageScanner: text<"none" | "clamd">({
    env: ["MAINSTAY_STORAGE_SCANNER"],
    default: "none",
    choices: ["none", "clamd"],
    summary: "Who looks for malware in every upload before anybody can read it: nobody, or ClamAV's daemon.",
  }),
  storageClamdAddress: text({
    env: ["MAINSTAY_STORAGE_CLAMD_ADDRESS"],
    default: "127.0.0.1:3310",
    summary:
      "Where `clamd` listens: `host:port`, or the path of its socket. What it is sent is not encrypted on the way.",
  }),
  storageScanSilenceMs: integer({
    env: ["MAINSTAY_STORAGE_SCAN_SILENCE_MS"],
    default: 60_000,
    unit: "ms",
    min: 1,
    summary: "How long the scanner may be silent, connecting, taking bytes or thinking, until it counts as away.",
  }),
  storageScanLimitBytes: integer({
    env: ["MAINSTAY_STORAGE_SCAN_LIMIT_BYTES"],
    default: 26_214_400,
    unit: "bytes",
    min: 1,
    summary: "Largest file that is given to the scanner: no more than `StreamMaxLength` of `clamd.conf`.",
  }),
  storageScanConcurrency: integer({
    env: ["MAINSTAY_STORAGE_SCAN_CONCURRENCY"],
    default: 4,
    unit: "scans",
    min: 1,
    summary: "Most files that are scanned at once; others wait. No more than `MaxThreads` of `clamd.conf`.",
  }),
  storageScanUnscanned: text<"refuse" | "allow">({
    env: ["MAINSTAY_STORAGE_SCAN_UNSCANNED"],
    default: "refuse",
    choices: ["refuse", "allow"],
    summary: "What becomes of files that cannot be scanned, because the scanner is away or they are too large for it.",
  }),
} satisfies Settings;
