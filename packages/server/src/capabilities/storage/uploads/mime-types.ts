/** `type/subtype` of RFC 9110 §8.3.1, with whatever parameters follow. */
const mediaType = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+\/[!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*(?:;.*)?$/;

/** `Image/PNG; charset=x` → `image/png`; the text itself, in small letters, where it is no media type. */
export function essenceOf(type: string): string {
  return (mediaType.exec(type.trim())?.[1] ?? type.trim()).toLowerCase();
}

/** Whether it is a media type at all, and may stand in a header. */
export const isMediaType = (type: string): boolean => mediaType.test(type) && /^[\t\x20-\x7e]+$/.test(type);

/** Whether a bucket's list lets the type in: by its name, `type/*`, or `*` for all. Parameters do not count. */
export function isAllowedType(type: string, allowed: readonly string[]): boolean {
  const essence = essenceOf(type);
  const family = `${essence.slice(0, essence.indexOf("/"))}/*`;
  return allowed.some((entry) => {
    const wanted = essenceOf(entry);
    return wanted === essence || wanted === family || wanted === "*/*" || wanted === "*";
  });
}
