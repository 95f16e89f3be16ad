import type { Catalog, Relation } from "../../../platform/postgres/catalog/types.ts";
import { problems } from "../problems.ts";
import type { Condition, EmbedHead, Operand, OrderTerm, ParsedQuery, Scoped, SelectItem } from "../request.ts";
import { planCondition } from "./conditions.ts";
import { representation, resolveField } from "./fields.ts";
import { castType, defaultName, outputName } from "./names.ts";
import { planOrder } from "./order.ts";
import { findRelationship, isToOne } from "./relationships.ts";
import { relationRows } from "./rows.ts";
import { asSpread } from "./spread.ts";
import type { Embed, Level, Output, ResolvedField, Rows } from "./types.ts";

/** What a plan may use, and how much. */
export interface PlanContext {
  readonly catalog: Catalog;
  readonly aggregatesEnabled: boolean;
  readonly maxEmbeds: number;
  readonly maxSelectItems: number;
}

/** The parts of a query that are scoped to a level and the levels below it. */
export interface LevelQuery {
  readonly select: readonly SelectItem[];
  readonly conditions: readonly Scoped<Condition>[];
  readonly order: readonly Scoped<readonly OrderTerm[]>[];
  readonly limits: readonly Scoped<Operand>[];
  readonly offsets: readonly Scoped<Operand>[];
}

/** An embed while its level is being planned: null tests and order terms found later still add to it. */
export type EmbedDraft = { -readonly [K in keyof Embed]: Embed[K] } & { orderFields: Embed["orderFields"][number][] };

/** Plans a select over `rows` and everything it embeds. */
export function planRead(context: PlanContext, rows: Rows, query: ParsedQuery | LevelQuery): Level {
  const budget = { embeds: 0, items: 0, levels: 0 };
  return planLevel(rows, query);

  function planLevel(levelRows: Rows, level: LevelQuery): Level {
    const alias = `t${budget.levels++}`;
    budget.items += level.select.length;
    if (budget.items > context.maxSelectItems) throw problems.tooMany("selected items", context.maxSelectItems);
    const embeds: EmbedDraft[] = [];
    const outputs: Output[] = [];
    const owned = new Set<Scoped<unknown>>();
    for (const item of level.select) outputs.push(...planItem(levelRows, level, item, embeds, owned));
    refuseOrphans(level, owned);
    const own = <T>(scoped: readonly Scoped<T>[]) =>
      scoped.filter(({ path }) => path.length === 0).map(({ value }) => value);
    const conditions = own(level.conditions).map((condition) =>
      planCondition(context.catalog, levelRows, embeds, condition),
    );
    const order = own(level.order)
      .flat()
      .map((term) => planOrder(context.catalog, levelRows, embeds, term));
    return {
      alias,
      rows: levelRows,
      outputs,
      embeds,
      conditions,
      order,
      limit: own(level.limits)[0] ?? null,
      offset: own(level.offsets)[0] ?? null,
      isAggregated: outputs.some(isAggregate),
    };
  }

  function planItem(
    levelRows: Rows,
    level: LevelQuery,
    item: SelectItem,
    embeds: EmbedDraft[],
    owned: Set<Scoped<unknown>>,
  ): Output[] {
    switch (item.kind) {
      case "star":
        return starOutputs(context.catalog, levelRows);
      case "count":
        requireAggregates();
        return [{ kind: "count", name: outputName(item.alias ?? "count"), cast: item.cast && castType(item.cast) }];
      case "column": {
        const { aggregate } = item;
        if (aggregate !== null) requireAggregates();
        const field = resolveField(context.catalog, levelRows, item.field);
        const name = outputName(item.alias ?? (aggregate === null ? defaultName(item.field) : aggregate.name));
        return [
          {
            kind: "value",
            name,
            field,
            cast: item.cast && castType(item.cast),
            aggregate: aggregate && { name: aggregate.name, cast: aggregate.cast && castType(aggregate.cast) },
            representation: item.cast === null ? representation(context.catalog, field, "to-json") : null,
          },
        ];
      }
      case "embed":
      case "spread": {
        const embed = planEmbed(levelRows, level, item, embeds.length, owned);
        embeds.push(embed);
        if (embed.isSilent) return [];
        return embed.spread === null
          ? [{ kind: "embed", name: embed.name, embed }]
          : [{ kind: "spread", embed, columns: embed.spread }];
      }
    }
  }

  function planEmbed(
    levelRows: Rows,
    level: LevelQuery,
    item: EmbedHead & { readonly kind: "embed" | "spread"; readonly alias?: string | null },
    index: number,
    owned: Set<Scoped<unknown>>,
  ): EmbedDraft {
    if (++budget.embeds > context.maxEmbeds) throw problems.tooMany("embedded relations", context.maxEmbeds);
    const origin = requireRelation(levelRows, item.target);
    const relationship = findRelationship(context.catalog, origin, item);
    const name = outputName(item.alias ?? item.target);
    const isMine = isAddressedBy(level, name, item.target, index);
    const below = <T>(scoped: readonly Scoped<T>[]) =>
      scoped.filter(({ path }) => path.length > 0 && isMine(path[0]!)).map((each) => descend(each, owned));
    const child = planLevel(relationRows(relationship.target), {
      select: item.items,
      conditions: below(level.conditions),
      order: below(level.order),
      limits: below(level.limits),
      offsets: below(level.offsets),
    });
    const toOne = isToOne(relationship);
    const spread = item.kind === "spread" ? asSpread(child, toOne) : null;
    return {
      alias: `e${child.alias.slice(1)}`,
      name,
      relationship,
      isToOne: toOne,
      isInner: item.join === "inner",
      level: spread?.level ?? child,
      isSilent: item.items.length === 0,
      isTested: item.join === "inner",
      orderFields: [],
      spread: spread?.columns ?? null,
    };
  }

  function requireAggregates(): void {
    if (!context.aggregatesEnabled) throw problems.aggregatesOff();
  }
}

/** Remembers that the parent's `scoped` found its embed, and takes the first step of its path off. */
function descend<T>(scoped: Scoped<T>, owned: Set<Scoped<unknown>>): Scoped<T> {
  owned.add(scoped);
  return { path: scoped.path.slice(1), value: scoped.value };
}

/**
 * Whether a path's first word means the embed at `index`: its alias, or its target's name as long as no other embed of this
 * level is called that (PostgREST docs, Resource Embedding).
 */
function isAddressedBy(level: LevelQuery, name: string, target: string, index: number): (word: string) => boolean {
  const siblings = level.select.filter((item) => item.kind === "embed" || item.kind === "spread");
  const names = siblings.map((item) => (item.kind === "embed" && item.alias !== null ? item.alias : item.target));
  const first = (word: string) => names.indexOf(word) === index;
  const isTargetFree = !names.includes(target) && siblings.findIndex((item) => item.target === target) === index;
  return (word) => (word === name ? first(word) : isTargetFree && word === target);
}

function refuseOrphans(level: LevelQuery, owned: ReadonlySet<Scoped<unknown>>): void {
  for (const list of [level.conditions, level.order, level.limits, level.offsets]) {
    for (const scoped of list) {
      if (scoped.path.length > 0 && !owned.has(scoped)) throw problems.notEmbedded(scoped.path[0]!);
    }
  }
}

/** A star stays a star unless a column has to be converted on its way out. */
function starOutputs(catalog: Catalog, rows: Rows): Output[] {
  const outputs = rows.columns.map((column): Output & { kind: "value" } => {
    const field: ResolvedField = { source: { kind: "column", column }, path: [] };
    const converted = representation(catalog, field, "to-json");
    return { kind: "value", name: column.name, field, cast: null, aggregate: null, representation: converted };
  });
  return outputs.some((output) => output.representation !== null) ? outputs : [{ kind: "star" }];
}

function requireRelation(rows: Rows, target: string): Relation {
  if (rows.relation === null) throw problems.noRelationship(rows.name, target, rows.schema, null);
  return rows.relation;
}

function isAggregate(output: Output): boolean {
  switch (output.kind) {
    case "count":
      return true;
    case "value":
      return output.aggregate !== null;
    case "spread":
      return output.columns.some((column) => column.aggregate !== null);
    default:
      return false;
  }
}
