import { Lru } from "../../../kernel/lru.ts";
import type { StoredObject } from "../types.ts";
import { isContentEncoding } from "../uploads/facts.ts";
import { privateCacheControl, publicCacheControl } from "./cache-control.ts";
import { type ServedType, servedTypeOf } from "./served-type.ts";

/** Who may read it: everybody, or whoever this request is from. */
export type Audience = "everybody" | "caller";

/** What is sent with a file, as flat lists that are shared: nobody changes them. */
export interface FileHeaders {
  readonly served: ServedType;
  /** With 200, 206 and HEAD, without `Content-Length` and `Content-Disposition`. */
  readonly full: readonly string[];
  /** With `Content-Disposition` where the type alone asks for it. */
  readonly shown: readonly string[];
  /** With 304 (RFC 9110 §15.4.5). */
  readonly unmodified: readonly string[];
}

interface Kept extends FileHeaders {
  readonly contentType: string;
  readonly contentEncoding: string | null;
  readonly cacheControl: string;
  readonly etag: string;
  readonly lastModifiedMs: number;
}

/** Makes the headers of files (protocols: serving headers), and remembers them by version. `capacity` in files. */
export function createFileHeaders(capacity: number): (object: StoredObject, audience: Audience) => FileHeaders {
  const kept = { everybody: new Lru<string, Kept>(capacity), caller: new Lru<string, Kept>(capacity) };
  return (object, audience) => {
    const key = object.version ?? object.id;
    const known = kept[audience].get(key);
    // Apps' SQL may change what is said of the same bytes.
    if (
      known !== undefined &&
      known.contentType === object.contentType &&
      known.contentEncoding === object.contentEncoding &&
      known.cacheControl === object.cacheControl &&
      known.etag === object.etag &&
      known.lastModifiedMs === object.lastModifiedMs
    ) {
      return known;
    }
    const made = make(object, audience);
    kept[audience].set(key, made);
    return made;
  };
}

const entityTag = /^(?:W\/)?"[\x21\x23-\x7e]*"$/;

function make(object: StoredObject, audience: Audience): Kept {
  const { contentType, contentEncoding, cacheControl, lastModifiedMs, name } = object;
  const served = servedTypeOf(contentType, name);
  const isShared = audience === "everybody";
  const caching = isShared
    ? ["Cache-Control", publicCacheControl(cacheControl)]
    : ["Cache-Control", privateCacheControl(cacheControl), "Vary", "Authorization, apikey"];
  // Rows come from apps' SQL too.
  const validators = [
    ...(entityTag.test(object.etag) ? ["ETag", object.etag] : []),
    "Last-Modified",
    new Date(lastModifiedMs).toUTCString(),
  ];
  const safety = ["X-Content-Type-Options", "nosniff", "Content-Security-Policy", served.policy];
  const full = [
    "Content-Type",
    served.contentType,
    ...(contentEncoding !== null && isContentEncoding(contentEncoding) ? ["Content-Encoding", contentEncoding] : []),
    ...validators,
    ...caching,
    "Accept-Ranges",
    "bytes",
    "X-Robots-Tag",
    "none",
    ...safety,
  ];
  const shown = served.isAttachment ? [...full, "Content-Disposition", "attachment;"] : full;
  const { etag } = object;
  return {
    served,
    full,
    shown,
    unmodified: [...validators, ...caching],
    contentType,
    contentEncoding,
    cacheControl,
    etag,
    lastModifiedMs,
  };
}
