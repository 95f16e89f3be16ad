import { isObject } from "./request.ts";

type Entry = Readonly<Record<string, unknown>>;

/** A user's identities or factors as they are told: the oldest first, without what they do not have. @param entries times without their zone, UTC */
export function listOf(entries: readonly Entry[]): readonly Entry[] {
  if (entries.length === 0) return entries;
  return entries.toSorted((one, other) => (createdAt(one) < createdAt(other) ? -1 : 1)).map(entryOf);
}

/** What has no time comes last. Texts of other lengths compare too: a longer one has a fraction where the other ends. */
const createdAt = ({ created_at: time }: Entry): string => (typeof time === "string" ? time : "~");

const entryOf = (entry: Entry): Entry =>
  Object.fromEntries(
    Object.entries(entry)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => [name, name.endsWith("_at") ? `${value}Z` : withoutNulls(value)]),
  );

/** As PostgreSQL's `json_strip_nulls`: fields that are null, however deep, and no items of lists. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  const kept = Object.entries(value).filter(([, field]) => field !== null);
  return Object.fromEntries(kept.map(([name, field]) => [name, withoutNulls(field)]));
}
