import { createHash } from "node:crypto";

/** Accounts are counted by hash, so that long names take no more room and names are not kept. */
export const accountKey = (name: string): string => createHash("sha256").update(name).digest("base64url");
