import type { StorageContext } from "../context.ts";
import type { Cipher } from "../encryption/types.ts";
import { type CheckOptions, check, type Finding } from "./check.ts";
import { type Rotated, rotateKeys } from "./rotate-keys.ts";
import { Sweeper } from "./sweeper.ts";

/** What whoever runs the server may do with files, with or without a server that runs. */
export interface StorageTools {
  /** What facts and bytes do not agree on, as it is found. @see check */
  check(options?: CheckOptions): AsyncIterable<Finding>;
  /** `null` where files are not encrypted. @see rotateKeys */
  rotateKeys(options?: Parameters<typeof rotateKeys>[1]): Promise<Rotated | null>;
}

export function createTools(
  { db, blobs, settings, observe }: Pick<StorageContext, "db" | "blobs" | "settings" | "observe">,
  cipher: Cipher | null,
): StorageTools {
  const sweeper = new Sweeper({ db, blobs, settings, observe });
  return {
    check: (options) => check({ db, blobs, cipher, sweeper, graceMs: settings.storageReadGraceMs }, options),
    rotateKeys: async (options) => (cipher === null ? null : rotateKeys({ db, cipher }, options)),
  };
}
