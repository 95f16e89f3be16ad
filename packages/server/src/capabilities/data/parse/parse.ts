import type { Condition, Operand, OrderTerm, ParsedQuery, Scoped, SelectItem } from "../request.ts";
import { marker } from "./characters.ts";
import { Budget, Cursor } from "./cursor.ts";
import { decodeQueryText } from "./decode.ts";
import { roleOfKey } from "./keys.ts";
import { parseLogic, parseOperation } from "./parse-condition.ts";
import { parseDottedNames, parseKey, parseNames } from "./parse-field.ts";
import { parseOrder } from "./parse-order.ts";
import { parseSelect } from "./parse-select.ts";
import { defaultQueryLimits, type QueryLimits } from "./settings.ts";

/**
 * Reads a shape made by `lex` into the words of the dialect, following PostgREST's grammar (PostgREST docs, URL
 * Grammar). Runs once per shape, not once per request. Of several `select`, `columns` or `on_conflict` the first wins;
 * of several `limit` or `offset` of one path the last.
 *
 * @throws Problem PGRST100 (400) naming the part, the column, what was found and what was expected.
 */
export function parse(shape: string, limits: QueryLimits = defaultQueryLimits): ParsedQuery {
  const budget = new Budget(limits);
  let select: readonly SelectItem[] | null = null;
  let columns: readonly string[] | null = null;
  let onConflict: readonly string[] | null = null;
  const conditions: Scoped<Condition>[] = [];
  const order: Scoped<readonly OrderTerm[]>[] = [];
  const pageLimits = new Map<string, Scoped<Operand>>();
  const offsets = new Map<string, Scoped<Operand>>();
  const givenArguments: { readonly name: string; readonly operand: Operand }[] = [];

  for (const pair of shape.split("&")) {
    const equals = pair.indexOf("=");
    if (equals < 0) continue;
    const key = decodeQueryText(pair.slice(0, equals));
    const raw = pair.slice(equals + 1);
    const hasSlots = raw.includes(marker);
    const cursorOn = (part: string) => {
      return new Cursor(part, decodeQueryText(raw), budget, hasSlots);
    };
    switch (roleOfKey(key)) {
      case "structure":
        if (key === "select") select ??= parseSelect(cursorOn("select parameter"));
        else if (key === "columns") columns ??= parseNames(cursorOn("columns parameter"));
        else onConflict ??= parseNames(cursorOn("on_conflict parameter"));
        break;
      case "order":
        order.push({ path: scopeOf(key, budget), value: parseOrder(cursorOn("order")) });
        break;
      case "limit":
        page(pageLimits, key, hasSlots);
        break;
      case "offset":
        page(offsets, key, hasSlots);
        break;
      case "logic":
        conditions.push(parseLogicParameter(key, cursorOn("logic tree"), budget));
        break;
      case "filter":
        if (raw === marker) givenArguments.push({ name: key, operand: budget.slot() });
        else {
          const { path, field } = parseKey(treePath(key, budget));
          budget.node();
          conditions.push({ path, value: parseOperation(cursorOn("filter"), field) });
        }
        break;
      case "apikey":
        break;
    }
  }
  return {
    select: select ?? [{ kind: "star" }],
    conditions,
    order,
    limits: [...pageLimits.values()],
    offsets: [...offsets.values()],
    columns,
    onConflict,
    arguments: givenArguments,
  };

  /** A number is always a slot; `lex` has dropped what is not a number. */
  function page(pages: Map<string, Scoped<Operand>>, key: string, hasSlots: boolean): void {
    if (hasSlots) pages.set(key, { path: scopeOf(key, budget), value: budget.slot() });
  }
}

/** The embed path before the last segment of `actors.roles.order`. */
function scopeOf(key: string, budget: Budget): readonly string[] {
  return key.includes(".") ? dottedNames(key, budget).slice(0, -1) : [];
}

/** `or`, `not.and`, `embed.or`, `embed.not.or`, `not.embed.or`: any `not` before the operator negates. */
function parseLogicParameter(key: string, cursor: Cursor, budget: Budget): Scoped<Condition> {
  const names = dottedNames(key, budget);
  const operator = names.pop() === "and" ? "and" : "or";
  const path = names.filter((name) => name !== "not");
  budget.node();
  return { path, value: parseLogic(cursor, operator, path.length < names.length) };
}

function dottedNames(key: string, budget: Budget): string[] {
  const cursor = treePath(key, budget);
  const names = parseDottedNames(cursor);
  cursor.expectEnd('"." or end of input');
  return names;
}

function treePath(key: string, budget: Budget): Cursor {
  return new Cursor("tree path", key, budget);
}
