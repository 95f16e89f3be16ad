import type { Method } from "../../kernel/route.ts";
import type { Catalog, Relation } from "../../platform/postgres/catalog/types.ts";
import type { Lane } from "../../platform/postgres/session/types.ts";
import type { Body } from "./body/read.ts";
import { compileCall } from "./compile/call.ts";
import { compileEstimate, compileRead, compileStream } from "./compile/read.ts";
import type { Compiled, Template } from "./compile/types.ts";
import { compileWrite } from "./compile/write.ts";
import type { DataSettings } from "./effective.ts";
import { type Explain, negotiate } from "./format.ts";
import { planCall } from "./plan/call.ts";
import { planRead } from "./plan/read.ts";
import { functionRows, relationRows } from "./plan/rows.ts";
import type { Level } from "./plan/types.ts";
import { planWrite } from "./plan/write.ts";
import { appliedPreferences } from "./preferences.ts";
import { problems } from "./problems.ts";
import type { CountKind, MediaRange, Operand, ParsedQuery, Preferences, Scoped } from "./request.ts";

/** Everything about a request that decides its statement, and nothing that does not. */
export interface Shape {
  readonly method: Method;
  readonly target: { readonly kind: "relation" | "function"; readonly name: string };
  readonly schema: string;
  readonly query: ParsedQuery;
  readonly preferences: Preferences;
  readonly accept: readonly MediaRange[];
  readonly usesRange: boolean;
  readonly body: Body | null;
  /** `Content-Profile`, where the answer names its schema. */
  readonly profile: string | null;
}

/** Rows up to which `count=estimated` is exact when nothing caps a page. */
const estimateAboveRows = 1000;

/** Plans and compiles: what a miss of the plan cache pays for. Refuses all that can be refused before a connection is held. */
export function prepare(catalog: Catalog, settings: DataSettings, asked: Shape): Compiled {
  const shape = { ...asked, preferences: checkPreferences(catalog, asked.preferences) };
  if (shape.target.kind === "function") return prepareCall(catalog, settings, shape);
  const relation = catalog.relation(shape.schema, shape.target.name);
  if (relation === null) throw problems.noRelation(shape.schema, shape.target.name);
  return shape.method === "GET" || shape.method === "HEAD"
    ? prepareRead(catalog, settings, shape, relation)
    : prepareWrite(catalog, settings, shape, relation);
}

/** Leaves out a time zone nobody knows, as the lenient do; the strict refuse it and all that was not understood. */
function checkPreferences(catalog: Catalog, preferences: Preferences): Preferences {
  const { timezone, handling } = preferences;
  const isUnknown = timezone !== null && !catalog.timezones.has(timezone.toLowerCase());
  const unknown = isUnknown ? [...preferences.unknown, `timezone=${timezone}`] : preferences.unknown;
  if (handling === "strict" && unknown.length > 0) throw problems.unknownPreferences(unknown);
  return isUnknown ? { ...preferences, timezone: null } : preferences;
}

function prepareRead(catalog: Catalog, settings: DataSettings, shape: Shape, relation: Relation): Compiled {
  const context = { catalog, ...settings };
  const level = planRead(context, relationRows(relation), shape.query);
  const { format, explain } = negotiate(catalog, shape.accept, {
    shape: "rows",
    relation,
    scalarType: null,
    planEnabled: settings.planEnabled,
  });
  const maxRows = settings.maxRows === 0 ? null : settings.maxRows;
  const count = countOf(shape.preferences, relation, shape.query);
  const page = { limit: level.limit, offset: level.offset, maxRows };
  const hasBody = shape.method === "GET";
  const estimateAbove = maxRows ?? estimateAboveRows;
  const isUnique = findsOneRow(level, relation);
  const mayRespond = catalog.settingsUse.writesResponse;
  const options = { format, count, page, usesRange: shape.usesRange, hasBody, estimateAbove, isUnique, mayRespond };
  const mayBeLarge =
    hasBody && !isUnique && explain === null && (maxRows === null || maxRows > settings.streamAboveRows);
  return {
    ...explained(compileRead(level, options), explain),
    kind: "read",
    lane: readLane(level, isUnique, count, maxRows),
    isReadOnly: true,
    rollsBack: false,
    format,
    shape: "rows",
    explain,
    count,
    estimate: count === "planned" || count === "estimated" ? compileEstimate(level) : null,
    page,
    stream: mayBeLarge ? compileStream(level, options) : null,
    status: 200,
    write: null,
    isolation: null,
    hoisted: [],
    headers: headersOf(settings, shape, explain?.contentType ?? format.contentType, {
      isWrite: false,
      usesResolution: false,
    }),
  };
}

/**
 * How to count. The planner's guess is made over all rows, and says how many there are that the caller may not see (threat B02).
 * So it is given for plain tables without row security alone, and not where a view or an embed may bring in others: there the
 * rows that can be seen are counted.
 */
function countOf({ count }: Preferences, relation: Relation, { select }: ParsedQuery): CountKind | null {
  if (count === null) return null;
  const isOpen = !relation.hasRowSecurity && relation.kind !== "view";
  const embeds = select.some(({ kind }) => kind === "embed" || kind === "spread");
  return isOpen && !embeds ? count : "exact";
}

/** Which lane a read may use: the fast one is for what is surely short. */
function readLane(level: Level, isUnique: boolean, count: Preferences["count"], maxRows: number | null): Lane {
  if (isUnique) return "read";
  const isBounded = level.limit !== null || maxRows !== null;
  return isBounded && !level.isAggregated && count !== "exact" ? "read" : "slow";
}

/** Whether the filters fix a unique key, so that there is one row at most. */
function findsOneRow(level: Level, relation: Relation): boolean {
  const fixed = new Set<string>();
  for (const condition of level.conditions) {
    if (condition.kind !== "compare" || condition.operator !== "eq" || condition.negated || condition.quantifier)
      continue;
    const { source, path } = condition.field;
    if (source.kind === "column" && path.length === 0) fixed.add(source.column.name);
  }
  return fixed.size > 0 && relation.uniqueKeys.some((key) => key.length > 0 && key.every((name) => fixed.has(name)));
}

function prepareWrite(catalog: Catalog, settings: DataSettings, shape: Shape, relation: Relation): Compiled {
  const method = shape.method as "POST" | "PUT" | "PATCH" | "DELETE";
  const { preferences } = shape;
  const scan = shape.body?.scan ?? null;
  const plan = planWrite({ catalog, ...settings }, relation, method, shape.query, preferences, scan);
  const { format, explain } = negotiate(catalog, shape.accept, {
    shape: "rows",
    relation,
    scalarType: null,
    planEnabled: settings.planEnabled,
  });
  const maxRows = settings.maxRows === 0 ? null : settings.maxRows;
  const template = compileWrite(plan, {
    format,
    maxRows,
    maxAffected: maxAffectedOf(preferences),
    mayRespond: catalog.settingsUse.writesResponse,
  });
  const hasBody = plan.representation !== null;
  const usesResolution = method === "POST" && plan.upsert !== null;
  const contentType = explain?.contentType ?? (hasBody ? format.contentType : null);
  return {
    ...explained(template, explain),
    kind: "write",
    lane: "write",
    isReadOnly: false,
    rollsBack: rollsBackOf(settings, preferences),
    format,
    shape: "rows",
    explain,
    count: preferences.count,
    estimate: null,
    page: null,
    stream: null,
    status: method === "POST" ? 201 : hasBody ? 200 : 204,
    write: {
      operation: plan.operation,
      hasBody,
      countsInserted: plan.upsert?.resolution === "merge",
      locationKey: plan.locationKey,
    },
    isolation: null,
    hoisted: [],
    headers: headersOf(settings, shape, contentType, { isWrite: true, usesResolution }),
  };
}

function prepareCall(catalog: Catalog, settings: DataSettings, shape: Shape): Compiled {
  const { query, preferences } = shape;
  const plan = planCall(catalog, shape.schema, shape.target.name, query, shape.body);
  const fn = plan.function;
  const isReadOnly = shape.method !== "POST" || fn.volatility !== "volatile";
  const hasRows = plan.shape === "rows" || plan.shape === "row";
  const rows = hasRows ? functionRows(fn) : null;
  const level = rows === null ? null : planRead({ catalog, ...settings }, rows, query);
  const { format, explain } = negotiate(catalog, shape.accept, {
    shape: plan.shape,
    relation: rows?.relation ?? null,
    scalarType: fn.returns.kind === "scalar" ? fn.returns.type : null,
    planEnabled: settings.planEnabled,
  });
  const maxAffected = maxAffectedOf(preferences);
  if (maxAffected !== null && !fn.isSetReturning) throw problems.maxAffectedScalar();
  const own = <T>(scoped: readonly Scoped<T>[]): T | null =>
    scoped.find(({ path }) => path.length === 0)?.value ?? null;
  const maxRows = settings.maxRows === 0 || !fn.isSetReturning ? null : settings.maxRows;
  const page: { limit: Operand | null; offset: Operand | null; maxRows: number | null } = fn.isSetReturning
    ? { limit: own(query.limits), offset: own(query.offsets), maxRows }
    : { limit: null, offset: null, maxRows: null };
  const isMinimal = shape.method === "POST" && preferences.return === "minimal";
  const hasBody = shape.method !== "HEAD" && plan.shape !== "void" && !isMinimal;
  const template = compileCall(plan, level, {
    format,
    count: preferences.count,
    page,
    usesRange: shape.usesRange && fn.isSetReturning,
    hasBody,
    estimateAbove: maxRows ?? estimateAboveRows,
    maxAffected,
  });
  const isVoid = plan.shape === "void";
  return {
    ...explained(template, explain),
    kind: "call",
    lane: "slow",
    isReadOnly,
    rollsBack: !isReadOnly && rollsBackOf(settings, preferences),
    format,
    shape: plan.shape,
    explain,
    count: preferences.count,
    estimate: null,
    page,
    stream: null,
    status: isVoid || isMinimal ? 204 : 200,
    write: null,
    isolation: fn.settings.get("default_transaction_isolation")?.toLowerCase() ?? null,
    hoisted: [...fn.settings].filter(([name]) => hoistedNames.has(name)),
    headers: headersOf(
      settings,
      shape,
      explain?.contentType ?? (hasBody ? format.contentType : isVoid ? null : format.contentType),
      {
        isWrite: shape.method === "POST",
        usesResolution: false,
      },
    ),
  };
}

const hoistedNames = new Set(["statement_timeout", "plan_filter.statement_cost_limit"]);

function maxAffectedOf({ handling, maxAffected }: Preferences): number | null {
  return handling === "strict" ? maxAffected : null;
}

function rollsBackOf({ txEnd }: DataSettings, { tx }: Preferences): boolean {
  const asked = txEnd.endsWith("allow-override") ? tx : null;
  return (asked ?? (txEnd.startsWith("rollback") ? "rollback" : "commit")) === "rollback";
}

/** The statement itself, or PostgreSQL's plan for it. */
function explained(template: Template, explain: Explain | null): Template {
  if (explain === null) return template;
  const options = [...explain.options, `format ${explain.format}`].join(", ");
  return { ...template, text: `explain (${options}) ${template.text}` };
}

function headersOf(
  settings: DataSettings,
  shape: Shape,
  contentType: string | null,
  applies: { readonly isWrite: boolean; readonly usesResolution: boolean },
): readonly string[] {
  const headers: string[] = [];
  if (contentType !== null) headers.push("Content-Type", contentType);
  if (shape.profile !== null) headers.push("Content-Profile", headerText(shape.profile));
  const applied = appliedPreferences(shape.preferences, {
    method: shape.method,
    isCall: shape.target.kind === "function",
    usesResolution: applies.usesResolution,
    allowsTx: settings.txEnd.endsWith("allow-override"),
  });
  if (applied !== "") headers.push("Preference-Applied", applied);
  return headers;
}

/** Schema names are the owner's, and may hold what a header cannot. */
function headerText(name: string): string {
  return name.replace(/[^\x20-\x7e]/g, "?");
}
