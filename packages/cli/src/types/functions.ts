import type { DatabaseModel, ModelFunction, ModelRelation } from "./model.ts";
import { key, quote, type TypeNames } from "./type-names.ts";

/** Types whose value may be the whole request body of a call: a function's only, unnamed argument. */
const bodyTypes = new Set(["json", "jsonb", "text"]);

/** Functions over HTTP: what can be called, and how each looks in TypeScript. */
export interface FunctionTypes {
  /** `Args`, `Returns` and `SetofOptions` of every function of a schema, by name, with its overloads. */
  ofSchema(schema: string): ReadonlyMap<string, readonly string[]>;
  /** Functions of one row: columns in all but name. By relation, then by name. */
  computedFields(relation: ModelRelation): ReadonlyMap<string, string>;
}

/** `inlineRow` writes the stored columns of a relation, without computed fields. */
export function functionTypes(
  model: DatabaseModel,
  names: TypeNames,
  inlineRow: (relation: ModelRelation) => string,
): FunctionTypes {
  const onlyRow = (fn: ModelFunction): ModelRelation | null => {
    const [first, ...rest] = fn.parameters;
    return first && rest.length === 0 ? names.rowRelation(first.type) : null;
  };

  const isCallable = (fn: ModelFunction): boolean => {
    const unnamed = fn.parameters.filter(({ name }) => name === "");
    if (unnamed.length === 0) return true;
    const [first] = fn.parameters;
    if (fn.parameters.length > 1 || first === undefined) return false;
    const type = model.types.get(first.type);
    return names.compositeName(first.type) !== null || (type !== undefined && bodyTypes.has(type.name));
  };

  /** One row of what a function returns. */
  const rowType = (fn: ModelFunction): string => {
    if (fn.outputs.length > 0) {
      const fields = [...fn.outputs].sort((a, b) => (a.name < b.name ? -1 : 1));
      return `{ ${fields.map(({ name, type }) => `${key(name)}: ${names.nameOf(type)}`).join("; ")} }`;
    }
    const relation = names.rowRelation(fn.returns);
    return relation?.schema === fn.schema ? inlineRow(relation) : names.nameOf(fn.returns);
  };

  const returnType = (fn: ModelFunction): string => {
    // `rows 1` on a function of rows is the author's word that there is one.
    const isList = fn.isSetReturning && !(fn.estimatedRows === 1 && names.compositeName(fn.returns) !== null);
    return isList ? `${rowType(fn)}[]` : rowType(fn);
  };

  const argumentTypes = (fn: ModelFunction): string => {
    if (fn.parameters.length === 0) return "Record<PropertyKey, never>";
    const row = onlyRow(fn);
    const args = [...fn.parameters]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, type, hasDefault }) => {
        const value = names.nameOf(type);
        // Sent back by the app, a row has no computed fields: PostgreSQL would not know them.
        const sent =
          row && name !== "" && value !== "unknown"
            ? `Omit<${value}, ${value.slice(0, -'["Row"]'.length)}["ComputedFields"]>`
            : value;
        return `${key(name)}${hasDefault ? "?" : ""}: ${sent}`;
      });
    return `{ ${args.join("; ")} }`;
  };

  const refusal = (fn: ModelFunction, clashes: readonly ModelFunction[]): string | null => {
    const [first] = fn.parameters;
    if (first?.name === "" && names.compositeName(first.type) !== null) {
      return `${fn.schema}.${fn.name} takes a row and has no argument name: select it as a computed field, or name the argument.`;
    }
    if (clashes.length < 2) return null;
    return `${fn.schema}.${fn.name} exists ${clashes.length} times with the same argument names: a call cannot tell which is meant. Rename one, or its arguments.`;
  };

  const write = (fn: ModelFunction, clashes: readonly ModelFunction[]): string => {
    const why = refusal(fn, clashes);
    const returns = why === null ? returnType(fn) : `{ error: true } & ${quote(why)}`;
    const to = fn.outputs.length > 0 ? null : names.compositeName(fn.returns);
    if (to === null) return `{ Args: ${argumentTypes(fn)}; Returns: ${returns} }`;
    const isOneToOne = !fn.isSetReturning || fn.estimatedRows === 1;
    const options = `{ from: ${quote(onlyRow(fn)?.name ?? "*")}; to: ${quote(to)}; isOneToOne: ${isOneToOne}; isSetofReturn: ${fn.isSetReturning} }`;
    return `{ Args: ${argumentTypes(fn)}; Returns: ${returns}; SetofOptions: ${options} }`;
  };

  /** The names a call would give: overloads that share them cannot be told apart. */
  const signature = (fn: ModelFunction): string =>
    fn.parameters
      .map(({ name }) => name)
      .sort()
      .join("\0");

  return {
    ofSchema(schema) {
      const callable = model.functions.filter((fn) => fn.schema === schema && isCallable(fn));
      const overloads = Map.groupBy(callable, (fn) => fn.name);
      return new Map(
        [...overloads].map(([name, group]) => [
          name,
          group.map((fn) =>
            write(
              fn,
              group.filter((other) => signature(other) === signature(fn)),
            ),
          ),
        ]),
      );
    },
    computedFields(relation) {
      const stored = new Set(relation.columns.map(({ name }) => name));
      const fields = new Map<string, string>();
      for (const fn of model.functions) {
        if (fn.schema !== relation.schema || stored.has(fn.name) || onlyRow(fn)?.oid !== relation.oid) continue;
        fields.set(fn.name, `${rowType(fn)} | null`);
      }
      return fields;
    },
  };
}
