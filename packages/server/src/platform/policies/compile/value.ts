import type { BooleanTest, CaseExpr, FuncCall, SQLValueFunction, TypeCast } from "libpg-query";
import { cast, castType, typedConstant } from "./casts.ts";
import { collationOf } from "./collation.ts";
import { type Context, column } from "./context.ts";
import type { Expression, ScalarType, SqlType } from "./expression.ts";
import { compare, compileOperation } from "./operators.ts";
import type { Node } from "./parser.ts";
import { compileSet } from "./sets.ts";
import { elementOf } from "./sql-types.ts";
import { as, beyond, builtInFunction, constantText, kindOf, words, wrapped } from "./tree.ts";
import { compileTruth } from "./truth.ts";
import type { KnownFunction } from "./types.ts";

/**
 * Any expression, typed. Arguments are printed with their implicit casts, so types meet here only as PostgreSQL's operators take them.
 * @throws Beyond
 */
export function compileValue(node: Node, context: Context): Expression {
  const inner = wrapped(node);
  if (inner) return compileValue(inner, context);
  const kind = kindOf(node);
  switch (kind) {
    case "ColumnRef":
      return compileColumn(as("ColumnRef", node)?.fields, context);
    case "A_Const":
      return literal(node);
    case "TypeCast":
      return compileCast(as("TypeCast", node)!, context);
    case "A_Expr":
      return compileOperation(as("A_Expr", node)!, context);
    case "FuncCall":
      return compileCall(as("FuncCall", node)!, context);
    case "SQLValueFunction":
      return currentRole(as("SQLValueFunction", node)!);
    case "SubLink":
      return compileSet(as("SubLink", node)!, context, false);
    case "BoolExpr":
      return compileTruth(node, context, false);
    case "NullTest": {
      const test = as("NullTest", node)!;
      if (test.argisrow || !test.arg) return beyond("IS NULL of a row");
      const of = compileValue(test.arg, context);
      return { node: "isNull", type: "boolean", isNegated: test.nulltesttype === "IS_NOT_NULL", of };
    }
    case "BooleanTest":
      return compileTruthTest(as("BooleanTest", node)!, context);
    case "CoalesceExpr":
      return coalesce((as("CoalesceExpr", node)!.args ?? []).map((arg) => compileValue(arg, context)));
    case "CaseExpr":
      return compileCase(as("CaseExpr", node)!, context);
    case "A_ArrayExpr": {
      const of = (as("A_ArrayExpr", node)!.elements ?? []).map((element) => compileValue(element, context));
      const type = commonType(of.map((element) => element.type));
      if (elementOf(type)) return beyond("an array of arrays");
      return { node: "array", type: `${type as ScalarType}[]`, of };
    }
    default:
      return beyond(kind);
  }
}

/** By its name alone, or by its table's, as it is printed inside a sub-select. */
function compileColumn(fields: readonly Node[] | undefined, context: Context): Expression {
  const parts = words(fields);
  if (parts.length === 2 && parts[0] === context.input.relation.name) return column(context, parts[1]!);
  return parts.length === 1 ? column(context, parts[0]!) : beyond("a column of another table");
}

function literal(node: Node): Expression {
  const constant = as("A_Const", node)!;
  if (constant.boolval) return { node: "constant", type: "boolean", value: constant.boolval.boolval ?? false };
  if (constant.ival) return { node: "constant", type: "int4", value: String(constant.ival.ival ?? 0) };
  const number = constant.fval?.fval;
  if (number !== undefined && /^\d+\.\d+$/.test(number)) return { node: "constant", type: "numeric", value: number };
  return beyond("a constant without a type");
}

function compileCast({ arg, typeName }: TypeCast, context: Context): Expression {
  const type = castType(typeName);
  const constant = as("A_Const", arg);
  if (constant?.sval || constant?.isnull) return typedConstant(constant, type);
  const items = as("A_ArrayExpr", arg);
  if (items && !items.elements?.length && elementOf(type)) return { node: "array", type, of: [] };
  return cast(compileValue(arg ?? beyond("a cast of nothing"), context), type, typeName?.typmods);
}

function compileCall(call: FuncCall, context: Context): Expression {
  const { funcname, args = [], ...rest } = call;
  if (rest.agg_star || rest.agg_distinct || rest.agg_filter || rest.agg_order || rest.over || rest.func_variadic) {
    return beyond("an aggregate or window function");
  }
  const name = words(funcname).join(".");
  const known = facts.get(name as KnownFunction);
  if (known !== undefined && args.length === 0 && context.input.knownFunctions.has(name as KnownFunction)) return known;
  switch (builtInFunction(funcname)) {
    case "current_setting":
      return settings.get(constantText(args[0]) ?? "") ?? beyond("a setting");
    case "lower":
    case "upper": {
      const of = compileValue(args[0]!, context);
      if (args.length !== 1 || of.type !== "text") return beyond(name);
      if (!collationOf(context.input.collation, [of]).foldsAscii) return beyond(`${name} under this collation`);
      return { node: "fold", type: "text", to: name.endsWith("lower") ? "lower" : "upper", of };
    }
    default:
      return beyond(`the function ${name}`);
  }
}

const subject: Expression = { node: "caller", type: "text", what: "subject" };

const facts: ReadonlyMap<KnownFunction, Expression> = new Map<KnownFunction, Expression>([
  ["auth.uid", { node: "cast", type: "uuid", of: subject }],
  ["auth.role", { node: "caller", type: "text", what: "claimedRole" }],
  ["auth.email", { node: "caller", type: "text", what: "email" }],
  ["auth.jwt", { node: "caller", type: "jsonb", what: "claims" }],
]);

/** What a flight of the caller sets (`platform/postgres/caller.ts`). */
const settings: ReadonlyMap<string, Expression> = new Map<string, Expression>([
  ["request.jwt.claims", { node: "caller", type: "text", what: "claimsText" }],
  ["request.jwt.claim.sub", { node: "caller", type: "text", what: "subjectSetting" }],
  ["request.jwt.claim.role", { node: "caller", type: "text", what: "roleSetting" }],
  ["role", { node: "caller", type: "text", what: "roleSetting" }],
]);

function currentRole({ op }: SQLValueFunction): Expression {
  if (op === "SVFOP_CURRENT_USER" || op === "SVFOP_CURRENT_ROLE" || op === "SVFOP_USER") {
    return { node: "caller", type: "name", what: "role" };
  }
  return beyond("a value of the session");
}

const tests = {
  IS_TRUE: { truth: true, isNegated: false },
  IS_NOT_TRUE: { truth: true, isNegated: true },
  IS_FALSE: { truth: false, isNegated: false },
  IS_NOT_FALSE: { truth: false, isNegated: true },
  IS_UNKNOWN: { truth: null, isNegated: false },
  IS_NOT_UNKNOWN: { truth: null, isNegated: true },
} as const;

function compileTruthTest({ arg, booltesttype = "IS_TRUE" }: BooleanTest, context: Context): Expression {
  const of = compileTruth(arg ?? beyond("a test of nothing"), context, false);
  return { node: "isTruth", type: "boolean", ...tests[booltesttype], of };
}

function coalesce(of: readonly Expression[]): Expression {
  return { node: "coalesce", type: commonType(of.map(({ type }) => type)), of };
}

/** Branches have been given one type before they were printed. */
function commonType(types: readonly SqlType[]): SqlType {
  const [first] = types;
  if (first === undefined || types.some((type) => type !== first)) return beyond("values of several types");
  return first === "other" || first === "opaque" ? beyond("values of a type unknown here") : first;
}

function compileCase({ arg, args = [], defresult }: CaseExpr, context: Context): Expression {
  const subjectOf = arg ? compileValue(arg, context) : null;
  const when = args.map((branch) => {
    const clause = as("CaseWhen", branch);
    if (!clause?.expr || !clause.result) return beyond("an odd CASE");
    const is = subjectOf
      ? compare("=", subjectOf, compileValue(clause.expr, context), context)
      : compileTruth(clause.expr, context, false);
    return { is, result: compileValue(clause.result, context) };
  });
  const given = defresult ? compileValue(defresult, context) : null;
  const type = commonType([...when.map(({ result }) => result.type), ...(given ? [given.type] : [])]);
  return { node: "case", type, when, otherwise: given ?? { node: "constant", type, value: null } };
}
