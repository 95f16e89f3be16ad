import type { Call } from "../../../kernel/route.ts";
import type { ByteRange } from "../ports.ts";

/** One file of a site, found and ready to be read. */
export interface SiteFile {
  readonly sizeBytes: number;
  /** Strong, with its quotes. */
  readonly etag: string;
  /** Unix milliseconds. */
  readonly lastModifiedMs: number;
  /** What its source says it is; `null` where only the name tells. */
  readonly contentType: string | null;
  /** How its bytes are packed, by its source; `null` where they are not. */
  readonly contentEncoding: string | null;
  /** How long copies live by its source; `null` where nobody said. */
  readonly cacheControl: string | null;
  /** The bytes; a `Buffer` where they are at hand. Called at most once. */
  read(range: ByteRange | null, call: Pick<Call, "signal">): Promise<AsyncIterable<Buffer> | Buffer>;
  /** Gives back what finding it took, where it is not read after all. */
  close(): Promise<void>;
}

/** Where the files of a site are. */
export interface SiteSource {
  /** `path`: segments that `readSitePath` let through, joined by `/`. `null` for what is no file, or not inside. */
  find(path: string): Promise<SiteFile | null>;
}
