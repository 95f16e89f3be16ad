import type { ResolvedCondition, ResolvedField } from "../plan/types.ts";
import type { FullTextOperator, SimpleOperator } from "../request.ts";
import { comparableSql, fieldSql, type RowReference } from "./expressions.ts";
import { literal, type Parameters } from "./sql.ts";

const operators: Readonly<Record<SimpleOperator, string>> = {
  eq: "=",
  neq: "<>",
  gt: ">",
  gte: ">=",
  lt: "<",
  lte: "<=",
  like: "like",
  ilike: "ilike",
  match: "~",
  imatch: "~*",
  cs: "@>",
  cd: "<@",
  ov: "&&",
  sl: "<<",
  sr: ">>",
  nxr: "&<",
  nxl: "&>",
  adj: "-|-",
  isdistinct: "is distinct from",
};

const textSearch: Readonly<Record<FullTextOperator, string>> = {
  fts: "to_tsquery",
  plfts: "plainto_tsquery",
  phfts: "phraseto_tsquery",
  wfts: "websearch_to_tsquery",
};

const tests: Readonly<Record<string, string>> = {
  null: "is null",
  not_null: "is not null",
  true: "is true",
  false: "is false",
  unknown: "is unknown",
};

/** ` where …`, or nothing. */
export function whereSql(conditions: readonly string[]): string {
  return conditions.length === 0 ? "" : ` where ${conditions.join(" and ")}`;
}

/**
 * One condition. Values are bare parameters, so that the column's type decides how they are read and an index on the
 * column serves; a cast on our side would take that from PostgreSQL.
 */
export function conditionSql(row: RowReference, condition: ResolvedCondition, parameters: Parameters): string {
  switch (condition.kind) {
    case "logic": {
      const parts = condition.conditions.map((each) => conditionSql(row, each, parameters));
      const sql = parts.length === 1 ? parts[0]! : `(${parts.join(` ${condition.operator} `)})`;
      return negate(sql, condition.negated);
    }
    case "embed-test":
      return `${condition.embed.alias}.v is ${condition.isNull ? "" : "not "}null`;
    case "is":
      return negate(`${fieldSql(row, condition.field)} ${tests[condition.test]}`, condition.negated);
    case "in": {
      const value = parameters.bind({ kind: "list", operand: condition.operand });
      const list =
        condition.representation === null
          ? value
          : `array(select ${condition.representation}(v) from unnest(${value}::text[]) v)`;
      return negate(`${comparableSql(row, condition.field)} = any (${list})`, condition.negated);
    }
    case "fts": {
      const config = condition.config === null ? "" : `${literal(condition.config)}, `;
      const value = parameters.bind({ kind: "operand", operand: condition.operand });
      const query = `${textSearch[condition.operator]}(${config}${value})`;
      return negate(`${vectorSql(row, condition.field, config)} @@ ${query}`, condition.negated);
    }
    case "compare": {
      const isPattern = condition.operator === "like" || condition.operator === "ilike";
      const value = parameters.bind({ kind: isPattern ? "pattern" : "operand", operand: condition.operand });
      const field = comparableSql(row, condition.field);
      const operator = operators[condition.operator];
      if (condition.quantifier !== null) {
        return negate(`${field} ${operator} ${condition.quantifier} (${value})`, condition.negated);
      }
      const operand = condition.representation === null ? value : `${condition.representation}(${value}::text)`;
      return negate(`${field} ${operator} ${operand}`, condition.negated);
    }
  }
}

/** Text search needs a `tsvector`: what is none is made into one, by the same configuration as the query. */
function vectorSql(row: RowReference, field: ResolvedField, config: string): string {
  const sql = fieldSql(row, field);
  const isVector =
    field.path.length === 0 &&
    field.source.kind === "column" &&
    ["tsvector", "unknown"].includes(field.source.column.baseType);
  return isVector ? sql : `to_tsvector(${config}${sql})`;
}

function negate(sql: string, negated: boolean): string {
  return negated ? `not (${sql})` : sql;
}
