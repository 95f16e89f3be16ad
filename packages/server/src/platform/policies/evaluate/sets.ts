import type { SetQuery } from "../compile/types.ts";
import { canonical } from "./canonical.ts";

/** What one correlation has: its values, and whether NULL is among them. */
interface Group {
  readonly values: Set<string>;
  hasNull: boolean;
  rows: number;
  /** As PostgreSQL printed it, for a value that stands alone. */
  single: string | null;
}

/** The rows of a `SetQuery`, ready to be looked up in. Immutable once built; shared by all rows of a group. */
export interface SetContent {
  readonly groups: ReadonlyMap<string, Readonly<Group>>;
}

/** Parts are told apart by their lengths, so that no two tuples give one key. */
export const tupleKey = (parts: readonly string[]): string =>
  parts.length === 1 ? parts[0]! : parts.map((part) => `${part.length}:${part}`).join("");

/**
 * @param rows as `query.sql` gave them, every column as text
 * @returns `null` when a value is not in the format we compare by: then nothing is decided with it
 */
export function buildSet(query: SetQuery, rows: Iterable<readonly (string | null)[]>): SetContent | null {
  const groups = new Map<string, Group>();
  for (const row of rows) {
    const parts: string[] = [];
    for (const [at, kind] of query.correlates.entries()) {
      const text = row[at];
      // Never equal to anything: nobody can look it up.
      if (text === null || text === undefined) break;
      const part = canonical(kind, text);
      if (part === undefined) return null;
      parts.push(part);
    }
    if (parts.length < query.correlates.length) continue;
    const key = tupleKey(parts);
    const group = groups.get(key) ?? { values: new Set(), hasNull: false, rows: 0, single: null };
    if (group.rows === 0) groups.set(key, group);
    group.rows++;
    if (query.value === null) continue;
    const text = row[query.correlates.length] ?? null;
    if (query.isScalar) group.single = text;
    else if (text === null) group.hasNull = true;
    else {
      const value = canonical(query.value, text);
      if (value === undefined) return null;
      group.values.add(value);
    }
  }
  return { groups };
}
