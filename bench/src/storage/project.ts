import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ownTokens } from "../tokens.ts";

/** Limits as ever, but for one file that is large. */
export const roomForLargeFiles = { ...ownTokens, MAINSTAY_STORAGE_FILE_SIZE_LIMIT_BYTES: String(4 * 2 ** 30) };

/**
 * `open`: everybody reads it. `own`: files of each under their id, as most apps have it. `flat` and `deep`: a million that every user sees, in one
 * folder and in many.
 */
export function projectForStorage(): { dir: string; remove(): void } {
  const dir = mkdtempSync(join(tmpdir(), "mainstay-bench-storage-"));
  mkdirSync(join(dir, "migrations"));
  writeFileSync(
    join(dir, "migrations", "20260101000000_storage.sql"),
    `insert into storage.buckets (id, name, public) values
       ('open', 'open', true), ('own', 'own', false), ('flat', 'flat', false), ('deep', 'deep', false);
     create policy "own files" on storage.objects for all to authenticated
       using (bucket_id in ('own', 'open') and (storage.foldername(name))[1] = (select auth.uid())::text)
       with check (bucket_id in ('own', 'open') and (storage.foldername(name))[1] = (select auth.uid())::text);
     create policy "all see" on storage.objects for select to authenticated using (bucket_id in ('flat', 'deep'));`,
  );
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}
