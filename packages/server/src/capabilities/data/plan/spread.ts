import { problems } from "../problems.ts";
import type { Level, Output, SpreadColumn } from "./types.ts";

/**
 * Turns a planned level into what its parent can spread: every output gets a short name of ours (`c1`, `c2` …), and the parent
 * gives each its real one. Aggregates of a to-one spread move up, to be taken over the parent's groups.
 * @throws PGRST127 for an aggregate inside a to-many spread: there would be no group to take it over.
 */
export function asSpread(
  level: Level,
  isToOne: boolean,
): { readonly level: Level; readonly columns: readonly SpreadColumn[] } {
  const columns: SpreadColumn[] = [];
  const add = (name: string, aggregate: SpreadColumn["aggregate"]): string => {
    if (aggregate !== null && !isToOne) {
      throw problems.notImplemented("Aggregates are not implemented for one-to-many or many-to-many spreads.");
    }
    const inner = `c${columns.length + 1}`;
    columns.push({ name, inner, aggregate });
    return inner;
  };
  const renamed = (output: Output): readonly Output[] => {
    switch (output.kind) {
      case "star":
        return level.rows.columns.map((column) => ({
          kind: "value",
          name: add(column.name, null),
          field: { source: { kind: "column", column }, path: [] },
          cast: null,
          aggregate: null,
          representation: null,
        }));
      case "value":
        return [{ ...output, name: add(output.name, output.aggregate), aggregate: null }];
      case "count":
        return [{ kind: "one", name: add(output.name, { name: "count", cast: output.cast }) }];
      case "one":
        return [{ kind: "one", name: add(output.name, null) }];
      case "embed":
        return [{ ...output, name: add(output.name, null) }];
      case "spread":
        return [
          {
            ...output,
            columns: output.columns.map((column) => ({
              name: add(column.name, column.aggregate),
              inner: column.inner,
              aggregate: null,
            })),
          },
        ];
    }
  };
  const outputs = level.outputs.flatMap((output) => renamed(output));
  return { level: { ...level, outputs, isAggregated: false }, columns };
}
