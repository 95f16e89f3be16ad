import type { Format } from "../format.ts";
import type { WrittenColumn } from "../plan/types.ts";
import { identList, isJsonType, returnedColumns, type WritePlan } from "../plan/write.ts";
import { bodySql, rejectUnless, settingsSql } from "./answer.ts";
import { conditionSql, whereSql } from "./conditions.ts";
import type { RowReference } from "./expressions.ts";
import { type Compilation, levelSql, type Source } from "./level.ts";
import { ident, literal, Parameters, qualified } from "./sql.ts";
import type { Template } from "./types.ts";

export interface WriteOptions {
  readonly format: Format;
  readonly maxRows: number | null;
  /** `max-affected`, where it counts. */
  readonly maxAffected: number | null;
  /** Some code of the app may set `response.status` or `response.headers`. */
  readonly mayRespond: boolean;
}

/** Column of the written rows that carries the whole row, for functions that take one. */
const wholeRow = "mainstay row";

/**
 * A write as one statement: the change in a CTE, its rows shaped like any read outside. Refusals that only the result can tell
 * (one row asked, two changed) are raised inside it, so that the whole flight is undone.
 */
export function compileWrite(plan: WritePlan, options: WriteOptions): Template {
  const parameters = new Parameters();
  const to: Compilation = { parameters, maxRows: options.maxRows };
  if (plan.source.kind === "nothing" && plan.operation !== "delete") return nothing(plan, options, parameters);
  const row: RowReference = { alias: "t0", row: "t0" };
  const change = changeSql(to, plan, row);
  if (isBare(plan, options)) return { text: change, parameters: parameters.sources, answers: "tag" };
  const shown = representationSource(plan);
  const w = `w as (${change} returning ${shown?.returning ?? returningSql(plan)})`;
  const from = shown === null ? "w" : `(${levelSql(to, plan.representation!, shown.source, "")}) r`;
  const body = guardedBody(
    plan,
    options,
    shown === null ? locationSql(plan) : bodySql(options.format, "rows", plan.representation),
  );
  const columns = [body, "count(*)", "null::bigint", settingsSql(options.mayRespond)];
  if (plan.upsert?.resolution === "merge") columns.push(`(select count(*) from w) - ${updatedSql}`);
  return {
    text: `with ${w} select ${columns.join(", ")} from ${from}`,
    parameters: parameters.sources,
    answers: "row",
  };
}

/** A change that nobody wants to hear more of than how many rows it touched: then the statement is the change itself. */
function isBare(plan: WritePlan, options: WriteOptions): boolean {
  return (
    plan.representation === null &&
    plan.locationKey === null &&
    plan.operation !== "put" &&
    plan.upsert?.resolution !== "merge" &&
    options.maxAffected === null &&
    options.format.kind === "json" &&
    !options.mayRespond
  );
}

// Counts rows that an upsert updated. A setting, because neither a command tag nor RETURNING tells them apart on views and
// partitioned tables, and `xmax` would need SELECT on the whole table.
const updatedSql = "coalesce(nullif(current_setting('mainstay.updated', true), ''), '0')::bigint";

function changeSql(to: Compilation, plan: WritePlan, row: RowReference): string {
  const table = `${qualified(plan.relation)} as ${row.alias}`;
  const conditions = () => whereSql(plan.conditions.map((each) => conditionSql(row, each, to.parameters)));
  switch (plan.operation) {
    case "insert":
    case "put":
      return `insert into ${table}${insertSql(to, plan)}${conflictSql(plan)}`;
    case "update": {
      const isRecord = plan.source.kind === "record";
      const sets = plan.columns.map(
        (each) => `${ident(each.column.name)} = ${isRecord ? bodyColumn(each) : valueSql(to, each)}`,
      );
      const from = plan.source.kind === "record" ? ` from ${recordSql(to, plan, plan.source.isArray)}` : "";
      return `update ${table} set ${sets.join(", ")}${from}${conditions()}`;
    }
    case "delete":
      return `delete from ${table}${conditions()}`;
  }
}

function insertSql(to: Compilation, plan: WritePlan): string {
  const { columns, source } = plan;
  const names = identList(columns.map(({ column }) => column.name));
  switch (source.kind) {
    case "values":
      return ` (${names}) values (${columns.map((each) => valueSql(to, each)).join(", ")})`;
    case "defaults": {
      const [first] = plan.relation.columns;
      if (source.count === 1 || first === undefined) return " default values";
      return ` (${ident(first.name)}) values ${Array(source.count).fill("(default)").join(", ")}`;
    }
    case "nothing":
      return " default values";
    case "record": {
      const from = recordSql(to, plan, source.isArray);
      const body: RowReference = { alias: "b", row: "b" };
      const matches =
        plan.operation === "put" ? plan.conditions.map((each) => conditionSql(body, each, to.parameters)) : [];
      return ` (${names}) select ${columns.map(bodyColumn).join(", ")} from ${from}${whereSql(matches)}`;
    }
  }
}

/** The body as rows `b` of the written columns' types. */
function recordSql(to: Compilation, plan: WritePlan, isArray: boolean): string {
  const body = `${to.parameters.bind({ kind: "body" })}::json`;
  const written = plan.columns.map(
    ({ column, representation }) => `${ident(column.name)} ${representation === null ? column.type : "json"}`,
  );
  // PUT compares the body's key with the URL's, whether or not the body has it.
  const keys = plan.operation === "put" ? plan.relation.primaryKey : [];
  const missing = keys.filter((key) => !plan.columns.some(({ column }) => column.name === key));
  const definition = [
    ...written,
    ...missing.map((key) => `${ident(key)} ${plan.relation.column(key)?.type ?? "text"}`),
  ].join(", ");
  if (plan.columns.some(({ fallback }) => fallback !== null)) {
    return `json_array_elements(${body}) e, lateral json_to_record(e) b(${definition})`;
  }
  const one = isArray && plan.operation === "update" ? `(${body} -> 0)` : body;
  return isArray && plan.operation !== "update"
    ? `json_to_recordset(${body}) b(${definition})`
    : `json_to_record(${one}) b(${definition})`;
}

function bodyColumn({ column, representation, fallback }: WrittenColumn): string {
  const plain = `b.${ident(column.name)}`;
  const value = representation === null ? plain : `${representation}(${plain})`;
  // A key that is there with null is a value; only a key that is not there means the default.
  return fallback === null
    ? value
    : `case when (e -> ${literal(column.name)}) is null then ${fallback} else ${value} end`;
}

function valueSql(to: Compilation, { column }: WrittenColumn): string {
  return to.parameters.bind({ kind: "argument", name: column.name, isJson: isJsonType(column.baseType) });
}

function conflictSql({ upsert, columns }: WritePlan): string {
  if (upsert === null) return "";
  const target = ` on conflict (${identList(upsert.target)})`;
  if (upsert.resolution === "ignore" || columns.length === 0) return `${target} do nothing`;
  const sets = columns.map(({ column }) => `${ident(column.name)} = excluded.${ident(column.name)}`).join(", ");
  return `${target} do update set ${sets} where set_config('mainstay.updated', (${updatedSql} + 1)::text, true) is not null`;
}

/** What a change without representation returns: nothing that would need SELECT, unless `Location` needs the key. */
function returningSql(plan: WritePlan): string {
  return plan.locationKey === null ? "1" : identList(plan.locationKey);
}

function locationSql({ locationKey }: WritePlan): string {
  if (locationKey === null) return "null::text";
  return `json_agg(json_build_array(${locationKey.map((name) => `w.${ident(name)}::text`).join(", ")})) -> 0`;
}

function representationSource(plan: WritePlan): { readonly returning: string; readonly source: Source } | null {
  if (plan.representation === null) return null;
  const { names, whole } = returnedColumns(plan.representation);
  const columns = names.map((name) => `t0.${ident(name)}`);
  const star = plan.representation.rows.columns.map(({ name }) => `t0.${ident(name)}`).join(", ");
  const row: RowReference = whole
    ? { alias: "t0", row: `t0.${ident(wholeRow)}`, star }
    : { alias: "t0", row: "t0", star: "t0.*" };
  if (whole) columns.push(`t0 as ${ident(wholeRow)}`);
  return {
    returning: columns.length === 0 ? "1" : columns.join(", "),
    source: { from: "w t0", row: names.length === 0 ? { ...row, star } : row, conditions: [] },
  };
}

function guardedBody(plan: WritePlan, options: WriteOptions, body: string): string {
  let guarded = body;
  const affected = "(select count(*) from w)";
  if (options.format.kind === "object") {
    guarded = rejectUnless("count(*) = 1", guarded, {
      code: "PGRST116",
      message: "Cannot coerce the result to a single JSON object",
      details: "'The result contains ' || count(*) || ' rows'",
    });
  }
  if (options.maxAffected !== null && (plan.operation === "update" || plan.operation === "delete")) {
    guarded = rejectUnless(`${affected} <= ${options.maxAffected}`, guarded, {
      code: "PGRST124",
      message: "Query result exceeds max-affected preference constraint",
      details: `'The query affects ' || ${affected} || ' rows'`,
    });
  }
  if (plan.operation === "put") {
    guarded = rejectUnless(`${affected} = 1`, guarded, {
      code: "PGRST115",
      message: "Payload values do not match URL in primary key column(s)",
      details: "null",
    });
  }
  return guarded;
}

/** A write of no rows: the request's transaction runs, no table is touched. */
function nothing(plan: WritePlan, options: WriteOptions, parameters: Parameters): Template {
  const isPut = plan.operation === "put";
  if (isPut) throw new Error("A PUT always has its one object.");
  const empty = plan.representation === null ? "null::text" : bodySql(options.format, "rows", plan.representation);
  const body = guardedBody({ ...plan, operation: "insert" }, options, empty);
  return {
    text: `select ${body}, count(*), null::bigint, ${settingsSql(options.mayRespond)} from (select 1 where false) r`,
    parameters: parameters.sources,
    answers: "row",
  };
}
