/** JSON as it is written out. Absent members are left out, not null. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json | undefined };
export type JsonObject = { readonly [name: string]: Json | undefined };

/** An object with the given members; a name such as `__proto__` is a member like any other (threat B12). */
export function object(members: Iterable<readonly [name: string, value: Json]>): JsonObject {
  return Object.fromEntries(members);
}

/** A reference into the document: JSON Pointer (RFC 6901) in a URI fragment, for names may hold anything. */
export function ref(section: "definitions" | "parameters", name: string): JsonObject {
  const token = name.replaceAll("~", "~0").replaceAll("/", "~1");
  return { $ref: `#/${section}/${encodeURIComponent(token)}` };
}
