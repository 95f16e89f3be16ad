import type { StorageContext } from "../context.ts";
import type { Cipher } from "../encryption/types.ts";
import type { Content } from "./types.ts";

export function createContent(_context: StorageContext, _cipher: Cipher | null): Content {
  return { start() {}, async stop() {} } as Content;
}
