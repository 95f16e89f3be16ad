import type { Expression } from "./expression.ts";

/** The parts that an expression is made of, one step down. */
export function partsOf(expression: Expression): readonly Expression[] {
  switch (expression.node) {
    case "column":
    case "constant":
    case "caller":
    case "beyond":
      return [];
    case "cast":
    case "field":
    case "path":
    case "fold":
    case "isNull":
    case "isTruth":
    case "not":
      return [expression.of];
    case "coalesce":
    case "array":
    case "and":
    case "or":
      return expression.of;
    case "nullif":
    case "arithmetic":
    case "compare":
    case "distinct":
    case "arrays":
    case "jsonContains":
      return [expression.left, expression.right];
    case "compareNow":
      return [expression.left];
    case "quantified":
      return [expression.left, expression.array];
    case "like":
      return [expression.left, expression.pattern];
    case "hasKeys":
      return [expression.of, expression.keys];
    case "case":
      return [...expression.when.flatMap(({ is, result }) => [is, result]), expression.otherwise];
    case "fetched":
      return expression.correlates;
    case "inSet":
      return expression.value === null ? expression.correlates : [...expression.correlates, expression.value];
  }
}

/** Names of the columns it reads, each once. */
export function columnsOf(...expressions: readonly Expression[]): readonly string[] {
  const names = new Set<string>();
  const visit = (expression: Expression): void => {
    if (expression.node === "column") names.add(expression.name);
    else partsOf(expression).forEach(visit);
  };
  expressions.forEach(visit);
  return [...names];
}
