import type { ViewRow } from "./rows.ts";
import { type ViewColumnOrigin, viewOrigins } from "./view-origins.ts";

/** Which views show a table's columns as they are, through however many views. */
export interface Exposures {
  /** Views that show at least one column of the table, with the positions at which each of its columns appears. */
  ofTable(table: number): ReadonlyMap<number, ReadonlyMap<number, readonly number[]>>;
  /** Tables a view shows columns of, in the order of the view's columns. */
  tablesOf(view: number): readonly number[];
}

export function findExposures(views: readonly ViewRow[]): Exposures {
  const origins = new Map<number, Map<number, ViewColumnOrigin>>();
  for (const { view, action } of views)
    origins.set(view, new Map(viewOrigins(action).map((origin) => [origin.position, origin])));

  const byTable = new Map<number, Map<number, Map<number, number[]>>>();
  const byView = new Map<number, Set<number>>();
  for (const [view, columns] of origins) {
    for (const position of columns.keys()) {
      const base = trace(view, position);
      if (base === null) continue;
      const shown = entry(
        entry(byTable, base.relation, newMap<number, Map<number, number[]>>),
        view,
        newMap<number, number[]>,
      );
      entry(shown, base.column, newList<number>).push(position);
      entry(byView, view, () => new Set<number>()).add(base.relation);
    }
  }
  const nothing: ReadonlyMap<number, ReadonlyMap<number, readonly number[]>> = new Map();
  return {
    ofTable: (table) => byTable.get(table) ?? nothing,
    tablesOf: (view) => [...(byView.get(view) ?? [])],
  };

  /** Follows a column down to a relation that is no view; `null` when it is computed on the way. Views cannot be circular. */
  function trace(view: number, position: number): { readonly relation: number; readonly column: number } | null {
    let here = origins.get(view)?.get(position);
    while (here !== undefined) {
      const below = origins.get(here.relation);
      if (below === undefined) return { relation: here.relation, column: here.column };
      here = below.get(here.column);
    }
    return null;
  }
}

/** The value at `key`, made on first use. */
export function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

export const newMap = <K, V>(): Map<K, V> => new Map();
export const newList = <T>(): T[] => [];
