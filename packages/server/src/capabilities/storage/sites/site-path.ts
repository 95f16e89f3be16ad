/** What a request asks of a site. */
export interface SitePath {
  /** Decoded segments, joined by `/`; of a folder the path without its slash, `""` for the site itself. */
  readonly path: string;
  readonly isFolder: boolean;
}

/** Longest path of a site, in characters. */
const maxPathChars = 2_048;
/** Controls, what other systems take for a step into a folder, and drives (threat S01). */
const unwanted = /[\p{Cc}/\\]|^[A-Za-z]:/u;

/**
 * The path of a URL below its mount, decoded once; `null` for what no site has: steps up, empty segments, names that begin with a dot (they
 * are never meant for the public, save `.well-known`, RFC 8615), controls, slashes in disguise, and what is not UTF-8.
 */
export function readSitePath(encoded: string): SitePath | null {
  if (encoded === "" || encoded === "/") return { path: "", isFolder: true };
  if (!encoded.startsWith("/") || encoded.length > maxPathChars) return null;
  const isFolder = encoded.endsWith("/");
  const segments = encoded.slice(1, isFolder ? -1 : undefined).split("/");
  const decoded: string[] = [];
  for (const [at, segment] of segments.entries()) {
    const name = decode(segment);
    if (name === null || name === "" || unwanted.test(name)) return null;
    if (name.startsWith(".") && !(at === 0 && name === ".well-known")) return null;
    decoded.push(name);
  }
  return { path: decoded.join("/"), isFolder };
}

function decode(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}
