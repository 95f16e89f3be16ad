/** What `Content-Location` says of a read: its path and its query in canonical form. */
export function locationOf(path: string, query: string): string {
  const canonical = canonicalQuery(query);
  return canonical === "" ? path : `${path}?${canonical}`;
}

/**
 * The query as `Content-Location` repeats it: parameters in the order of their names, without the API key. A query of one
 * parameter, and one already in order, is returned as it is.
 */
function canonicalQuery(query: string): string {
  if (query === "" || (!query.includes("&") && !query.startsWith("apikey="))) return query;
  const pairs = query.split("&").filter((pair) => pair !== "" && !pair.startsWith("apikey="));
  return pairs.sort(byName).join("&");
}

function byName(a: string, b: string): number {
  const [nameA, nameB] = [nameOf(a), nameOf(b)];
  return nameA < nameB ? -1 : nameA > nameB ? 1 : 0;
}

function nameOf(pair: string): string {
  const equals = pair.indexOf("=");
  return equals < 0 ? pair : pair.slice(0, equals);
}
