import { entry, findExposures, newList, newMap } from "./exposures.ts";
import { buildFunction, isCallable } from "./functions.ts";
import { buildRelations, type RelationIndex } from "./relations.ts";
import { type ComputedRelationship, findRelationships } from "./relationships.ts";
import type { CatalogRows, RoleSettingRow } from "./rows.ts";
import { findSettingsUse } from "./settings-use.ts";
import type { Catalog, DatabaseFunction, MediaHandler, Relation } from "./types.ts";

/** Settings with this prefix on the configuration role configure the data API. */
const configurationPrefix = "pgrst.";

/** Makes the picture from what was read. Pure: equal rows give an equal picture. */
export function buildCatalog(
  rows: CatalogRows,
  known: {
    readonly version: number;
    readonly timezones: ReadonlySet<string>;
    /** Role whose `pgrst.…` settings become the configuration. */
    readonly configurationRole: string;
  },
): Catalog {
  const exposures = findExposures(rows.views);
  const index = buildRelations(rows, exposures);
  const relations = [...index.byOid.values()];
  const bySchema = new Map<string, Map<string, Relation>>();
  for (const one of relations) entry(bySchema, one.schema, newMap<string, Relation>).set(one.name, one);

  const functions = buildFunctions(rows, index);
  const roleSettings = groupSettings(rows.roleSettings);
  return Object.freeze({
    version: known.version,
    relations,
    relation: (schema: string, name: string) => bySchema.get(schema)?.get(name) ?? null,
    relationships: findRelationships(rows.constraints, index, exposures, functions.relationships),
    allFunctions: functions.callable,
    functions: (schema: string, name: string) => functions.byName.get(schema)?.get(name) ?? [],
    computedColumn: (relation: Relation, name: string) => functions.computed.get(relation.oid)?.get(name) ?? null,
    mediaHandlers: mediaHandlers(rows, index),
    roleSettings,
    timezones: known.timezones,
    representations: new Map(rows.representations.map((row) => [row.cast, row.function])),
    settingsUse: findSettingsUse(rows.settingSources.map(({ source }) => source)),
    configuration: configuration(roleSettings.get(known.configurationRole)),
  });
}

interface Functions {
  readonly callable: readonly DatabaseFunction[];
  readonly byName: ReadonlyMap<string, ReadonlyMap<string, readonly DatabaseFunction[]>>;
  /** By relation and name: functions of a row that return a scalar. */
  readonly computed: ReadonlyMap<number, ReadonlyMap<string, DatabaseFunction>>;
  /** Functions of a row that return rows of a relation. */
  readonly relationships: readonly ComputedRelationship[];
}

function buildFunctions(rows: CatalogRows, index: RelationIndex): Functions {
  const callable: DatabaseFunction[] = [];
  const byName = new Map<string, Map<string, DatabaseFunction[]>>();
  const computed = new Map<number, Map<string, DatabaseFunction>>();
  const relationships: ComputedRelationship[] = [];
  for (const row of rows.functions) {
    const built = buildFunction(row, index);
    if (isCallable(row, built)) {
      callable.push(built);
      const named = entry(byName, row.schema, newMap<string, DatabaseFunction[]>);
      entry(named, row.name, newList<DatabaseFunction>).push(built);
    }
    const origin = row.rowInput === null ? undefined : index.byOid.get(row.rowInput);
    if (origin === undefined) continue;
    if (built.returns.kind === "relation")
      relationships.push({ origin, target: built.returns.relation, function: built });
    else if (!built.isSetReturning && built.returns.kind !== "void")
      entry(computed, origin.oid, newMap<string, DatabaseFunction>).set(row.name, built);
  }
  return { callable, byName, computed, relationships };
}

function mediaHandlers(rows: CatalogRows, index: RelationIndex): readonly MediaHandler[] {
  return rows.mediaHandlers.flatMap((row) => {
    const relation = row.relation === 0 ? null : index.byOid.get(row.relation);
    return relation === undefined ? [] : [{ mediaType: row.mediaType, relation, function: row.function }];
  });
}

function groupSettings(rows: readonly RoleSettingRow[]): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const settings = new Map<string, Map<string, string>>();
  // In order of precedence: a later row is the more specific one.
  for (const row of rows) entry(settings, row.role, newMap<string, string>).set(row.name, row.value);
  return settings;
}

function configuration(settings: ReadonlyMap<string, string> | undefined): ReadonlyMap<string, string> {
  return new Map(
    [...(settings ?? [])]
      .filter(([name]) => name.startsWith(configurationPrefix))
      .map(([name, value]) => [name.slice(configurationPrefix.length), value]),
  );
}
