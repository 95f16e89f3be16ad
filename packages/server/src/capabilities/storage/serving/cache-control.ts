/** What may stand in the header; anything else an app's SQL has written is not sent. */
const headerText = /^[\x20-\x7e]{1,1000}$/;
const forShared = /^(?:public|s-maxage\s*=.*|proxy-revalidate|private(?:\s*=.*)?)$/i;

/** As it is stored, for what everybody may read. */
export const publicCacheControl = (stored: string): string => (headerText.test(stored) ? stored : "no-cache");

/**
 * For what depends on who asks: the browser may keep it as long as is stored, shared caches may not (threat X06).
 * `atMostSeconds`: until the URL ends, so that a copy does not outlive it.
 */
export function privateCacheControl(stored: string, atMostSeconds: number | null = null): string {
  const directives = publicCacheControl(stored)
    .split(",")
    .map((directive) => directive.trim())
    .filter((directive) => directive !== "" && !forShared.test(directive));
  const bounded = directives.map((directive) => {
    const age = /^max-age\s*=\s*"?(\d{1,15})"?$/i.exec(directive)?.[1];
    return age === undefined || atMostSeconds === null ? directive : `max-age=${Math.min(Number(age), atMostSeconds)}`;
  });
  return ["private", ...bounded].join(", ");
}
