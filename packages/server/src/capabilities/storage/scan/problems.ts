import { Problem } from "../../../kernel/problem.ts";

export const scanProblems = {
  /** The scanner has found malware in the file. Nothing of it is kept. */
  infected: (finding: string) => new Problem("storage/infected", 400, `The file is infected: ${finding}`),
  /** Files are scanned here, and the scanner does not answer or fails. The file is not kept. */
  scannerUnavailable: (cause?: unknown) =>
    new Problem("storage/scanner-unavailable", 503, "The file cannot be scanned now.", {
      hint: "Try again soon.",
      headers: { "Retry-After": "30" },
      cause,
    }),
  /** Files are scanned here, and this one is larger than the scanner takes. */
  notScannable: () =>
    new Problem("storage/not-scannable", 413, "The file is too large to be scanned.", {
      hint: "The setting storageScanLimitBytes says how large files may be.",
    }),
};
