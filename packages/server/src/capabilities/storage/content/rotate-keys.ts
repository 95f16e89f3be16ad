import { Problem } from "../../../kernel/problem.ts";
import type { Database } from "../../../platform/postgres/database.ts";
import type { Cipher } from "../encryption/types.ts";
import { checkStore } from "./check-store.ts";

export interface Rotated {
  /** Segments whose key is now encrypted by the present key of the server. */
  readonly rewrapped: number;
  /** Whose key could not be decrypted, by the name of the key of the server that is missing. */
  readonly failed: Readonly<Record<string, number>>;
}

const pageSize = 1_000;
const firstId = "00000000-0000-0000-0000-000000000000";

/**
 * Encrypts the keys of files by the server's present key; no bytes move, and readers notice nothing. Run again, it does what is left: what was copied
 * meanwhile, or written by a server that had not heard of the new key.
 */
export async function rotateKeys(
  { db, cipher }: { readonly db: Database; readonly cipher: Cipher },
  {
    signal,
    onProgress = () => {},
  }: { readonly signal?: AbortSignal; readonly onProgress?: (done: number) => void } = {},
): Promise<Rotated> {
  const failed: Record<string, number> = {};
  let rewrapped = 0;
  for (let after = firstId; ; ) {
    signal?.throwIfAborted();
    const page = await checkStore.wrappedByOthers(db, cipher.currentKeyId, after, pageSize);
    const last = page.at(-1);
    if (last === undefined) return { rewrapped, failed };
    after = last.blobId;
    const keys = page.flatMap(({ blobId, wrapped, wrappingKeyId }) => {
      try {
        const key = cipher.rewrap({ wrapped: Buffer.from(wrapped, "hex"), wrappingKeyId });
        return [{ blobId, wrapped: key.wrapped.toString("hex") }];
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        failed[wrappingKeyId] = (failed[wrappingKeyId] ?? 0) + 1;
        return [];
      }
    });
    if (keys.length > 0) await checkStore.rewrap(db, cipher.currentKeyId, keys);
    rewrapped += keys.length;
    onProgress(rewrapped);
  }
}
