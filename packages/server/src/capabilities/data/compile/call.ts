import type { Parameter } from "../../../platform/postgres/catalog/types.ts";
import type { Format } from "../format.ts";
import type { CallPlan } from "../plan/call.ts";
import type { Level } from "../plan/types.ts";
import { isJsonType } from "../plan/write.ts";
import type { CountKind, Operand } from "../request.ts";
import { bodySql, rejectUnless, settingsSql } from "./answer.ts";
import { type Compilation, levelSql, ownRow, type Source } from "./level.ts";
import { pageSql, totalSql } from "./page.ts";
import { ident, Parameters, qualified } from "./sql.ts";
import type { PageRule, Template } from "./types.ts";

export interface CallOptions {
  readonly format: Format;
  readonly count: CountKind | null;
  readonly page: PageRule;
  readonly usesRange: boolean;
  readonly hasBody: boolean;
  readonly estimateAbove: number;
  readonly maxAffected: number | null;
}

/**
 * A call as one statement. Functions always stand in `from`: there they run even when nothing reads their result, and run
 * once.
 * @param level How the rows are shaped; `null` for scalars and void.
 */
export function compileCall(plan: CallPlan, level: Level | null, options: CallOptions): Template {
  const parameters = new Parameters();
  const to: Compilation = { parameters, maxRows: options.page.maxRows };
  const call = callSql(to, plan);
  const parts = level === null ? scalarParts(to, plan, call, options) : rowParts(to, plan, level, call, options);
  let body = options.hasBody ? bodySql(options.format, plan.shape, level) : "null::text";
  if (options.format.kind === "object" && options.hasBody && plan.function.isSetReturning) {
    body = rejectUnless("count(*) = 1", body, {
      code: "PGRST116",
      message: "Cannot coerce the result to a single JSON object",
      details: "'The result contains ' || count(*) || ' rows'",
    });
  }
  if (options.maxAffected !== null) {
    body = rejectUnless(`count(*) <= ${options.maxAffected}`, body, {
      code: "PGRST124",
      message: "Query result exceeds max-affected preference constraint",
      details: "'The query affects ' || count(*) || ' rows'",
    });
  }
  const select = `select ${body}, count(*), ${parts.total}, ${settingsSql(true)} from (${parts.rows}) r`;
  const text = parts.ctes === "" ? select : `with ${parts.ctes} ${select}`;
  return { text, parameters: parameters.sources, answers: "row" };
}

interface CallParts {
  readonly ctes: string;
  readonly rows: string;
  readonly total: string;
}

interface CallSql {
  /** What must stand in `from` before the function: the body taken apart. */
  readonly before: string;
  readonly invocation: string;
}

function rowParts(to: Compilation, plan: CallPlan, level: Level, call: CallSql, options: CallOptions): CallParts {
  const page = pageSql(to, options.page, options.usesRange);
  // `from` makes a row of nulls out of a function that returned NULL.
  const conditions = plan.shape === "row" ? [`not (${level.alias} is null)`] : [];
  const direct: Source = { from: `${call.before}${call.invocation} ${level.alias}`, row: ownRow(level), conditions };
  const isCounted =
    options.count !== null && options.count !== "planned" && (page.limit !== null || page.offset !== null);
  if (!isCounted) {
    const total = options.count === null || options.count === "planned" ? "null::bigint" : "count(*)";
    return { ctes: "", rows: levelSql(to, level, direct, page.clause), total };
  }
  // Page and count must look at one result of one call.
  const whole = ident("mainstay row");
  const star = level.rows.columns.map(({ name }) => `${level.alias}.${ident(name)}`).join(", ");
  const kept: Source = {
    from: `f ${level.alias}`,
    row: { alias: level.alias, row: `${level.alias}.${whole}`, star },
    conditions,
  };
  return {
    ctes: `f as materialized (select ${level.alias}.*, ${level.alias} as ${whole} from ${direct.from})`,
    rows: levelSql(to, level, kept, page.clause),
    total: totalSql(to, level, kept, page, options.count, "count(*)", options.estimateAbove),
  };
}

function scalarParts(to: Compilation, plan: CallPlan, call: CallSql, options: CallOptions): CallParts {
  const isRecord = plan.function.returns.kind === "composite";
  const value = isRecord
    ? `select ${call.invocation} as v${call.before === "" ? "" : ` from ${call.before.replace(/, lateral $/, "")}`}`
    : `select t0.v from ${call.before}${call.invocation} t0(v)`;
  if (plan.shape !== "scalar-set")
    return { ctes: "", rows: value, total: options.count === null ? "null::bigint" : "count(*)" };
  const page = pageSql(to, options.page, options.usesRange);
  const isCounted = options.count === "exact" || options.count === "estimated";
  const ctes = isCounted ? `f as materialized (${value})` : "";
  const rows = isCounted ? `select f.v from f${page.clause}` : `select s.v from (${value}) s${page.clause}`;
  return { ctes, rows, total: isCounted ? "(select count(*) from f)" : "null::bigint" };
}

function callSql(to: Compilation, plan: CallPlan): CallSql {
  const name = qualified(plan.function);
  const invoke = (given: readonly string[]) => `${name}(${given.join(", ")})`;
  const args = plan.arguments;
  switch (args.kind) {
    case "body":
      return {
        before: "",
        invocation: invoke([`${to.parameters.bind({ kind: "raw", isBinary: args.type === "bytea" })}::${args.type}`]),
      };
    case "query":
      return {
        before: "",
        invocation: invoke(
          args.given.map(({ parameter, operands }) =>
            named(parameter, `${queryValue(to, parameter, operands)}::${parameter.type}`),
          ),
        ),
      };
    case "values":
      return {
        before: "",
        invocation: invoke(
          args.given.map((parameter) => {
            const value = to.parameters.bind({
              kind: "argument",
              name: parameter.name,
              isJson: isJsonType(parameter.type),
            });
            return named(parameter, `${value}::${parameter.type}`);
          }),
        ),
      };
    case "record": {
      const definition = args.given.map(({ name: key, type }) => `${ident(key)} ${type}`).join(", ");
      return {
        before: `json_to_record(${to.parameters.bind({ kind: "body" })}::json) a(${definition}), lateral `,
        invocation: invoke(args.given.map((parameter) => named(parameter, `a.${ident(parameter.name)}`))),
      };
    }
  }
}

function named({ name, isVariadic }: Parameter, value: string): string {
  return `${isVariadic ? "variadic " : ""}${ident(name)} := ${value}`;
}

function queryValue(to: Compilation, { type, isVariadic }: Parameter, operands: readonly Operand[]): string {
  const last = operands.at(-1)!;
  const isArray = isVariadic || type.endsWith("[]");
  if (isArray && (operands.length > 1 || isVariadic))
    return to.parameters.bind({ kind: "array", operand: last, operands });
  return to.parameters.bind({ kind: "operand", operand: last });
}
