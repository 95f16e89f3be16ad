import type { RelationIndex } from "./relations.ts";
import type { FunctionRow } from "./rows.ts";
import type { DatabaseFunction, Parameter, ReturnShape } from "./types.ts";

/** Types a single unnamed parameter may have: the request's body goes in as it is. PostgREST docs, Functions as RPC. */
const bodyTypes = new Set(["json", "jsonb", "text", "xml", "bytea"]);

const volatilities = { i: "immutable", s: "stable", v: "volatile" } as const;

export function buildFunction(row: FunctionRow, relations: RelationIndex): DatabaseFunction {
  return Object.freeze({
    oid: row.oid,
    schema: row.schema,
    name: row.name,
    parameters: parameters(row),
    returns: returnShape(row, relations),
    isSetReturning: row.isSetReturning,
    estimatedRows: row.estimatedRows,
    volatility: volatilities[row.volatility],
    settings: new Map((row.settings ?? []).map(readSetting)),
    comment: row.comment,
  });
}

/** Whether a caller can say what to pass: every parameter named, or one alone that takes the body. */
export function isCallable(row: FunctionRow, built: DatabaseFunction): boolean {
  const unnamed = built.parameters.filter((parameter) => parameter.name === "");
  if (row.hasInternalType || unnamed.length > 1) return false;
  return unnamed.length === 0 || (built.parameters.length === 1 && bodyTypes.has(unnamed[0]!.type));
}

function parameters(row: FunctionRow): readonly Parameter[] {
  const given: Parameter[] = [];
  row.argumentTypes.forEach((type, at) => {
    const mode = row.argumentModes?.[at] ?? "i";
    if (mode === "o" || mode === "t") return;
    // Defaults belong to the last inputs.
    const isRequired = given.length < row.inputs - row.inputDefaults;
    given.push({ name: row.argumentNames[at] ?? "", type, isRequired, isVariadic: mode === "v" });
  });
  return given;
}

/**
 * OUT parameters and `returns table` make an object even when there is only one, as PostgREST answers them, although
 * PostgreSQL itself then returns a bare scalar.
 */
function returnShape(row: FunctionRow, relations: RelationIndex): ReturnShape {
  if (row.argumentModes?.some((mode) => mode === "o" || mode === "b" || mode === "t")) {
    const columns = row.argumentTypes
      .map((type, at) => ({ name: row.argumentNames[at] ?? "", type, mode: row.argumentModes?.[at] ?? "i" }))
      .filter(({ mode }) => mode !== "i" && mode !== "v")
      // PostgreSQL's own name for an OUT parameter without one.
      .map(({ name, type }, at) => ({ name: name === "" ? `column${at + 1}` : name, type }));
    return { kind: "composite", columns };
  }
  const relation = relations.byOid.get(row.returnRelation);
  if (row.returnKind === "composite" && relation !== undefined) return { kind: "relation", relation };
  switch (row.returnKind) {
    case "void":
      return { kind: "void" };
    case "record":
      return { kind: "composite", columns: [] };
    case "composite":
      return { kind: "composite", columns: (row.returnColumns ?? []).map(([name, type]) => ({ name, type })) };
    case "scalar":
      return { kind: "scalar", type: row.returnType };
  }
}

/** `name=value`, as PostgreSQL keeps `SET` clauses. */
function readSetting(text: string): [name: string, value: string] {
  const equals = text.indexOf("=");
  return [text.slice(0, equals).toLowerCase(), text.slice(equals + 1)];
}
