/**
 * What a key means, told by its whole text (`select`, `columns`, `on_conflict`, `apikey`) or by its last dot-segment
 * (`order`, `limit`, `offset`, `and`, `or`). PostgREST docs, URL Grammar.
 */
export type KeyRole = "apikey" | "structure" | "order" | "logic" | "limit" | "offset" | "filter";

/**
 * Classifies the key at `text[start, end)`, whose last dot-segment begins at `segment`. Offsets instead of slices, because
 * this runs for every parameter of every request.
 */
export function keyRole(text: string, start: number, segment: number, end: number): KeyRole {
  switch (end - segment) {
    case 2:
      return text.startsWith("or", segment) ? "logic" : "filter";
    case 3:
      return text.startsWith("and", segment) ? "logic" : "filter";
    case 5:
      if (text.startsWith("limit", segment)) return "limit";
      return text.startsWith("order", segment) ? "order" : "filter";
    case 6:
      if (text.startsWith("offset", segment)) return "offset";
      if (segment !== start) return "filter";
      if (text.startsWith("select", segment)) return "structure";
      return text.startsWith("apikey", segment) ? "apikey" : "filter";
    case 7:
      return segment === start && text.startsWith("columns", segment) ? "structure" : "filter";
    case 11:
      return segment === start && text.startsWith("on_conflict", segment) ? "structure" : "filter";
    default:
      return "filter";
  }
}

/** The same for a key that had to be decoded first. */
export function roleOfKey(key: string): KeyRole {
  return keyRole(key, 0, key.lastIndexOf(".") + 1, key.length);
}
