/** A part of a name that only a build writes: eight or more hexadecimal digits, or characters of every kind. */
const candidates = /[.-]([A-Za-z0-9_]{8,})(?=[.-])/g;
const isHash = (part: string): boolean =>
  (/^[0-9a-f]+$/.test(part) && /\d/.test(part) && /[a-f]/.test(part)) ||
  (/\d/.test(part) && /[a-z]/.test(part) && /[A-Z]/.test(part));

/** Whether a name changes with what is in it, as `app.3f9c2b1a.js`: a copy of it is good for ever. */
export function isHashed(path: string): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return [...name.matchAll(candidates)].some(([, part = ""]) => isHash(part));
}

/** How long copies of a site's file live: pages are asked after each time, so that a new version is seen at once. */
export function cacheControlOf(path: string, contentType: string, said: string | null): string {
  if (contentType.startsWith("text/html")) return "no-cache";
  if (isHashed(path)) return "public, max-age=31536000, immutable";
  return said ?? "no-cache";
}
