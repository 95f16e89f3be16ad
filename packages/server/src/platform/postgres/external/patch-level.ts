/**
 * The newest minor release known here of each major version we serve, whose security fixes matter to row level security and
 * shared connections (threats B05, B06). Update along with https://www.postgresql.org/support/security/
 */
const newestMinor: ReadonlyMap<number, number> = new Map([
  [15, 19],
  [16, 15],
  [17, 11],
  [18, 6],
]);

export const oldestMajor = 15;

export type PatchLevel =
  | { readonly kind: "current" }
  /** Security fixes are missing; `newest` as `18.6`. */
  | { readonly kind: "behind"; readonly newest: string }
  /** Older than we can work with. */
  | { readonly kind: "unsupported" };

/** Judges `18.4` or `18.4 (Debian …)`. A major version newer than we know is taken to be current. */
export function patchLevelOf(version: string): PatchLevel {
  const [, major, minor] = /^(\d+)(?:\.(\d+))?/.exec(version) ?? [];
  if (major === undefined || Number(major) < oldestMajor) return { kind: "unsupported" };
  const newest = newestMinor.get(Number(major));
  return newest !== undefined && Number(minor ?? 0) < newest
    ? { kind: "behind", newest: `${major}.${newest}` }
    : { kind: "current" };
}
