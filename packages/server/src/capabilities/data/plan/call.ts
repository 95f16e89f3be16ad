import type { Catalog, DatabaseFunction, Parameter } from "../../../platform/postgres/catalog/types.ts";
import type { Body } from "../body/read.ts";
import { problems } from "../problems.ts";
import type { Operand, ParsedQuery } from "../request.ts";
import { isJsonType } from "./write.ts";

/** What a function gives, and so what the answer is. */
export type CallShape = "void" | "scalar" | "scalar-set" | "row" | "rows";

export type CallArguments =
  /** From the query string; several operands make an array. */
  | {
      readonly kind: "query";
      readonly given: readonly { readonly parameter: Parameter; readonly operands: readonly Operand[] }[];
    }
  /** Each a parameter of its own, out of a body of plain values. */
  | { readonly kind: "values"; readonly given: readonly Parameter[] }
  /** PostgreSQL takes the JSON apart. */
  | { readonly kind: "record"; readonly given: readonly Parameter[] }
  /** The body is the one unnamed argument. */
  | { readonly kind: "body"; readonly type: string };

export interface CallPlan {
  readonly function: DatabaseFunction;
  readonly arguments: CallArguments;
  readonly shape: CallShape;
}

/**
 * Chooses the function of a call by its name and the names of what was given (PostgREST docs, Functions as RPC).
 * @throws PGRST202 when none fits, PGRST203 when several do.
 */
export function planCall(
  catalog: Catalog,
  schema: string,
  name: string,
  query: ParsedQuery,
  body: Body | null,
): CallPlan {
  const overloads = catalog.functions(schema, name);
  const given = givenNames(query, body);
  const named = given === null ? [] : overloads.filter((fn) => takes(fn, given));
  if (named.length > 1) throw problems.ambiguousFunction(named.map(signature));
  const [fn] = named;
  if (fn !== undefined && given !== null) {
    return { function: fn, arguments: planArguments(fn, given, query, body), shape: shapeOf(fn) };
  }
  const unnamed = body === null ? [] : overloads.filter((each) => takesBody(each, body.mediaType));
  if (unnamed.length > 1) throw problems.ambiguousFunction(unnamed.map(signature));
  const [only] = unnamed;
  if (only !== undefined) {
    return { function: only, arguments: { kind: "body", type: only.parameters[0]!.type }, shape: shapeOf(only) };
  }
  throw problems.noFunction(schema, name, given ?? [], searched(given, body));
}

/** Names of what was given; `null` when the body has no names, so that only an unnamed parameter can take it. */
function givenNames(query: ParsedQuery, body: Body | null): readonly string[] | null {
  if (body === null) return [...new Set(query.arguments.map(({ name }) => name))];
  if (body.scan === null || body.scan.kind === "array" || body.scan.kind === "list" || body.scan.kind === "scalar")
    return null;
  if (query.columns === null) return body.scan.keys;
  return body.scan.keys.filter((key) => query.columns?.includes(key));
}

function takes(fn: DatabaseFunction, given: readonly string[]): boolean {
  const names = new Set(fn.parameters.map(({ name }) => name));
  if (given.some((name) => name === "" || !names.has(name))) return false;
  // A VARIADIC parameter may always be left out.
  return fn.parameters.every(({ name, isRequired, isVariadic }) => !isRequired || isVariadic || given.includes(name));
}

const unnamedTypes: Readonly<Record<string, readonly string[]>> = {
  "application/json": ["json", "jsonb"],
  "text/plain": ["text"],
  "text/xml": ["xml"],
  "application/octet-stream": ["bytea"],
};

function takesBody(fn: DatabaseFunction, mediaType: string): boolean {
  const [parameter] = fn.parameters;
  const types = Object.hasOwn(unnamedTypes, mediaType) ? unnamedTypes[mediaType]! : [];
  return fn.parameters.length === 1 && parameter!.name === "" && types.includes(parameter!.type);
}

function planArguments(
  fn: DatabaseFunction,
  given: readonly string[],
  query: ParsedQuery,
  body: Body | null,
): CallArguments {
  // In the function's own order: a VARIADIC argument has to be the last.
  const parameters = fn.parameters.filter(({ name }) => given.includes(name));
  if (body === null) {
    return {
      kind: "query",
      given: parameters.map((parameter) => ({
        parameter,
        operands: query.arguments.filter(({ name }) => name === parameter.name).map(({ operand }) => operand),
      })),
    };
  }
  const isPlain = parameters.every(
    ({ name, type }) => isJsonType(type) || body.scan?.values.get(name)?.kind !== "container",
  );
  return { kind: isPlain ? "values" : "record", given: parameters };
}

function shapeOf(fn: DatabaseFunction): CallShape {
  switch (fn.returns.kind) {
    case "void":
      return "void";
    case "scalar":
      return fn.isSetReturning ? "scalar-set" : "scalar";
    case "composite":
      // Columns that only run time knows cannot be named in `from`: the row is one value then.
      if (fn.returns.columns.length === 0) return fn.isSetReturning ? "scalar-set" : "scalar";
      return fn.isSetReturning ? "rows" : "row";
    case "relation":
      return fn.isSetReturning ? "rows" : "row";
  }
}

function signature(fn: DatabaseFunction): string {
  const parameters = fn.parameters.map(({ name, type }) => (name === "" ? type : `${name} => ${type}`));
  return `${fn.schema}.${fn.name}(${parameters.join(", ")})`;
}

function searched(given: readonly string[] | null, body: Body | null): string {
  const parts: string[] = [];
  if (given !== null) {
    if (given.length === 0) parts.push("without parameters");
    else parts.push(`with parameter${given.length === 1 ? "" : "s"} ${given.join(", ")}`);
  }
  const types = body === null ? undefined : unnamedTypes[body.mediaType];
  if (types !== undefined) parts.push(`with a single unnamed ${types.join("/")} parameter`);
  return parts.join(" or ");
}
