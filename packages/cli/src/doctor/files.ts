import { accessSync, constants, statfsSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "@mainstay/server";
import { type Check, type Finding, fail, ok, warn } from "./finding.ts";
import { nearestExisting } from "./folders.ts";

const megabyte = 1024 * 1024;
/** A disk that is fuller refuses uploads soon, and PostgreSQL is often on the same. */
const freeWantedBytes = 2048 * megabyte;

/** Where files are, and what works on them: all that can be known without the database. */
export const checkFiles: Check = async ({ config }) => {
  if (config === null) return [];
  if (!config.storage.storageEnabled) return [ok("files", "switched off")];
  return [
    ...(config.storage.storageBackend === "s3" ? await bucketFindings(config) : folderFindings(config)),
    encryptionFinding(config),
    ...(await imageFindings(config)),
    ...(await scannerFindings(config)),
  ];
};

function folderFindings({ storage, project }: Config): readonly Finding[] {
  const folder = storage.storageFolder ?? join(project.dataDir, "objects");
  const base = nearestExisting(folder);
  try {
    accessSync(base, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch {
    return [fail("files", `${base} cannot be written by this user`, "Run as its owner, or change its permissions.")];
  }
  const { bavail, bsize } = statfsSync(base);
  const freeBytes = bavail * bsize;
  const found = `in the folder ${folder}, ${Math.floor(freeBytes / megabyte).toLocaleString("en")} MB free`;
  const isScarce = freeBytes < Math.max(freeWantedBytes, storage.storageFileSizeLimitBytes);
  return [
    isScarce ? warn("files", found, "Free some space: uploads are refused when it is full.") : ok("files", found),
  ];
}

async function bucketFindings(config: Config): Promise<readonly Finding[]> {
  const { checkFileStore } = await import("@mainstay/server/preflight");
  const wrong = await checkFileStore(config);
  const { storageBackendS3Bucket: bucket } = config.storage;
  return [
    wrong === null
      ? ok("files", `in the bucket ${bucket} of S3, which can be written and read`)
      : fail("files", trimmed(wrong), "See MAINSTAY_STORAGE_BACKEND_S3_…: bucket, endpoint, region, keys."),
  ];
}

function encryptionFinding({ storage }: Config): Finding {
  if (storage.storageEncryptionKey === null) return ok("files: encryption", "files are stored as they come");
  const former = storage.storageEncryptionFormerKeys.length;
  return former === 0
    ? ok("files: encryption", "new files are encrypted")
    : warn(
        "files: encryption",
        `new files are encrypted, and ${former === 1 ? "a former key is" : `${former} former keys are`} still set`,
        "Run `mainstay storage rotate-key`: when all keys are encrypted by the present one, the former may go.",
      );
}

async function imageFindings({ storage }: Config): Promise<readonly Finding[]> {
  if (!storage.storageImagesEnabled)
    return [ok("files: images", "are served as they are: other sizes are switched off")];
  const { checkImages } = await import("@mainstay/server/preflight");
  const wrong = await checkImages();
  return [
    wrong === null
      ? ok("files: images", "can be served in other sizes and formats")
      : warn(
          "files: images",
          `cannot be served in other sizes: ${trimmed(wrong)}`,
          "Install the optional package sharp.",
        ),
  ];
}

async function scannerFindings(config: Config): Promise<readonly Finding[]> {
  const { storageScanner, storageClamdAddress: address, storageScanUnscanned: unscanned } = config.storage;
  if (storageScanner === "none") return [];
  const { checkScanner } = await import("@mainstay/server/preflight");
  const wrong = await checkScanner(config);
  if (wrong === null) return [ok("files: scanner", `clamd at ${address} scans`)];
  const outcome = unscanned === "refuse" ? "uploads are refused" : "uploads are taken without a scan";
  return [
    fail(
      "files: scanner",
      `clamd at ${address}: ${trimmed(wrong)}; ${outcome}`,
      "Start clamd, or set MAINSTAY_STORAGE_CLAMD_ADDRESS.",
    ),
  ];
}

const trimmed = (sentence: string): string => sentence.replace(/\.$/, "");
