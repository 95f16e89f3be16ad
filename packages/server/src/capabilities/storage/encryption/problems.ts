import { Problem } from "../../../kernel/problem.ts";

export const encryptionProblems = {
  /** The file is encrypted with a key of the server that is not among its settings any more. Set it in `MAINSTAY_STORAGE_ENCRYPTION_FORMER_KEYS`. */
  keyMissing: (keyId: string) =>
    new Problem("storage/key-missing", 500, "The key of this file is not at hand.", {
      cause: new Error(`No key ${keyId} is set.`),
    }),
};
