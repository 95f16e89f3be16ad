import type { OpenProjectDatabase } from "@mainstay/server";
import type { StorageExamination } from "@mainstay/server/examine";
import { type Finding, fail, ok, warn } from "./finding.ts";

/** Buckets, who may do what, and whether bytes are where they should be: of a database that is open. */
export async function storageFindings(open: OpenProjectDatabase): Promise<readonly Finding[]> {
  if (!open.config.storage.storageEnabled) return [];
  const { examineStorage } = await import("@mainstay/server/examine");
  const examined = await examineStorage(open, () => {});
  return [bucketsFinding(examined), ...rulesFindings(examined), sampleFinding(examined), ...unsweptFindings(examined)];
}

function bucketsFinding({ buckets }: StorageExamination): Finding {
  if (buckets.length === 0) return ok("files: buckets", "none");
  const open = buckets.filter(({ isPublic }) => isPublic).map(({ id }) => id);
  const count = `${buckets.length} ${buckets.length === 1 ? "bucket" : "buckets"}`;
  if (open.length === 0) return ok("files: buckets", `${count}, none of them public`);
  return ok("files: buckets", `${count}; everybody can read ${abridged(open)}`);
}

function rulesFindings({ rules, hasTriggers, buckets }: StorageExamination): readonly Finding[] {
  if (rules === null) return [fail("files: policies", "there is no table storage.objects", "Run: mainstay migrate up")];
  const findings: Finding[] = [];
  if (!rules.hasRowSecurity) {
    findings.push(
      fail(
        "files: policies",
        "storage.objects has no row level security: everybody can read, replace and delete every file",
        "alter table storage.objects enable row level security;",
      ),
    );
  } else if (rules.policies === 0 && buckets.length > 0) {
    findings.push(
      warn(
        "files: policies",
        "storage.objects has no policy: only the service role can upload, and read what is not public",
        "Write policies on storage.objects in a migration: see docs/guide/storage.md.",
      ),
    );
  } else
    findings.push(
      ok("files: policies", `storage.objects has ${rules.policies === 1 ? "1 policy" : `${rules.policies} policies`}`),
    );
  if (!hasTriggers) {
    findings.push(
      fail(
        "files: policies",
        "the triggers of storage.objects are missing or disabled: bytes of deleted files stay, and quotas do not count",
        "The owner of storage.objects has to make them: see the warnings of `mainstay migrate up`.",
      ),
    );
  }
  return findings;
}

function sampleFinding({ sample: { looked, wrong } }: StorageExamination): Finding {
  if (wrong.length > 0) {
    return fail(
      "files: bytes",
      `of ${looked} runs of bytes that were looked for, ${wrong.length} are not as they should be: ${abridged(wrong)}`,
      "See all of it: mainstay storage check",
    );
  }
  return ok(
    "files: bytes",
    looked === 0 ? "no file has any yet" : `${looked === 1 ? "1 run" : `${looked} runs`} of bytes looked for and found`,
  );
}

function unsweptFindings({ unswept: { uploads, blobs } }: StorageExamination): readonly Finding[] {
  if (uploads + blobs === 0) return [];
  return [
    warn(
      "files: sweep",
      `${uploads} broken uploads and ${blobs} blobs wait to be removed for more than an hour`,
      "Start a server: it removes them. If one runs, its log says what fails.",
    ),
  ];
}

const shown = 5;
const abridged = (names: readonly string[]): string =>
  names.length <= shown ? names.join(", ") : `${names.slice(0, shown).join(", ")} and ${names.length - shown} more`;
