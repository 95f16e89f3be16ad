import type { Json } from "../../platform/jobs/types.ts";

/**
 * A value as `jsonb` takes it: PostgreSQL's texts cannot have U+0000, while JSON's can. It becomes U+FFFD, which says that something stood there.
 * @param text the same value as JSON
 */
export const withoutNul = (value: Json, text: string): Json => (text.includes("\\u0000") ? clean(value) : value);

function clean(value: Json): Json {
  if (typeof value === "string") return value.replaceAll("\u0000", "\ufffd");
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(clean);
  return Object.fromEntries(
    Object.entries(value as Readonly<Record<string, Json>>).map(([name, one]) => [
      name.replaceAll("\u0000", "\ufffd"),
      clean(one),
    ]),
  );
}
