/** Names and values as HTTP has them (RFC 9110 §5.1, §5.5): what fits needs no second look by `Headers`. */
const name = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const value = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Real headers of what stands in a flat list: name, value, name, value … */
export function headersOf(flat: readonly string[]): Headers {
  const headers = new Headers();
  for (let at = 0; at + 1 < flat.length; at += 2) headers.append(flat[at]!, flat[at + 1]!);
  return headers;
}

/** A flat list of real headers; several `Set-Cookie` stay several. */
export function flatOf(headers: Iterable<readonly [string, string]>): string[] {
  const flat: string[] = [];
  for (const [key, text] of headers) flat.push(key, text);
  return flat;
}

/**
 * The flat list of what a caller gives as headers, lower case, without making `Headers` of it. `null` when it is not plainly right: then
 * `Headers` itself says what it is, or what is wrong with it.
 */
export function flatOfInit(init: unknown): string[] | null {
  if (init === undefined) return [];
  if (typeof init !== "object" || init === null) return null;
  if (init instanceof Headers) return flatOf(init);
  const prototype = Object.getPrototypeOf(init);
  if ((prototype !== Object.prototype && prototype !== null) || Symbol.iterator in init) return null;
  const flat: string[] = [];
  for (const [key, text] of Object.entries(init)) {
    if (typeof text !== "string" || !name.test(key)) return null;
    const trimmed = text.trim();
    if (!value.test(trimmed)) return null;
    flat.push(key.toLowerCase(), trimmed);
  }
  // A symbol is no name, which `Headers` says.
  return Object.getOwnPropertySymbols(init).length > 0 ? null : flat;
}

export function has(flat: readonly string[], wanted: string): boolean {
  for (let at = 0; at < flat.length; at += 2) if (flat[at] === wanted) return true;
  return false;
}
