import { problems } from "../problems.ts";

/** RFC 3986 §2.3: all but unreserved characters, by their bytes in UTF-8. `encodeURIComponent` leaves five more. */
export const encodeUri = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

/** @throws Problem `InvalidURI` for bytes that are not UTF-8 */
export function decodeUri(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw problems.invalidUri();
  }
}

/** Parameters of a query in their order, decoded. A `+` is a space, as S3 reads it. */
export function readQuery(query: string): readonly (readonly [name: string, value: string])[] {
  if (query === "") return [];
  return query
    .split("&")
    .filter((part) => part !== "")
    .map((part) => {
      const at = part.indexOf("=");
      const name = at === -1 ? part : part.slice(0, at);
      const value = at === -1 ? "" : part.slice(at + 1);
      return [decodeUri(name.replaceAll("+", " ")), decodeUri(value.replaceAll("+", " "))] as const;
    });
}

/** The path as S3 signs it: each segment encoded once, whatever the client left as it was; slashes and dots stay as they are. */
export const canonicalPath = (path: string): string =>
  path === ""
    ? "/"
    : path
        .split("/")
        .map((segment) => encodeUri(decodeUri(segment)))
        .join("/");

/** Parameters by name, then by value, in byte order of what is sent. */
export function canonicalQuery(parameters: readonly (readonly [name: string, value: string])[]): string {
  return parameters
    .map(([name, value]) => [encodeUri(name), encodeUri(value)] as const)
    .sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}
