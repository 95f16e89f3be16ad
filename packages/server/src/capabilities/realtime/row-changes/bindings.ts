import { createHash } from "node:crypto";
import { type Condition, FilterError, parseFilter } from "../../../platform/changes/filters/filter.ts";

export type ChangeEvent = "INSERT" | "UPDATE" | "DELETE";

/** What one `postgres_changes` object of a join asks for. */
export interface Binding {
  readonly event: ChangeEvent | "*";
  /** `null`: every schema. */
  readonly schema: string | null;
  /** `null`: every published table of the schema. */
  readonly table: string | null;
  readonly conditions: readonly Condition[];
  /** Only these columns; `null`: all. */
  readonly select: readonly string[] | null;
}

/** A binding under the number that its messages carry. */
export interface NumberedBinding extends Binding {
  readonly id: number;
}

export interface ParsedBindings {
  /** What the reply gives back: the objects as sent, and their numbers. */
  readonly given: readonly Readonly<Record<string, unknown>>[];
  /** `null` when one of them is malformed: then none of them is subscribed to. */
  readonly bindings: readonly NumberedBinding[] | null;
  /** Why not, for the app's developer. */
  readonly problem: string | null;
}

export interface BindingLimits {
  readonly bindings: number;
  readonly filterLength: number;
}

/** Reads what a join asks for. Never throws: a malformed binding is told about after the join. */
export function parseBindings(
  sent: readonly Readonly<Record<string, unknown>>[],
  limits: BindingLimits,
): ParsedBindings {
  const ids = numbersOf(sent);
  const given = sent.map((object, at) => ({ ...object, id: ids[at]! }));
  try {
    if (sent.length > limits.bindings) {
      throw new FilterError(`A channel can have at most ${limits.bindings} bindings to row changes.`);
    }
    const bindings = sent.map((object, at) => ({ ...parseBinding(object, limits), id: ids[at]! }));
    return { given, bindings, problem: null };
  } catch (error) {
    if (error instanceof FilterError) return { given, bindings: null, problem: error.message };
    throw error;
  }
}

/** @throws FilterError. Shapes are strict: what only looks like a text or a list is refused (threat R03). */
function parseBinding(object: Readonly<Record<string, unknown>>, limits: BindingLimits): Binding {
  const { event, schema: sentSchema, table: sentTable, filter, select } = object;
  const table = nameOf(sentTable, "table");
  const schema = nameOf(sentSchema, "schema") ?? (table === null || table === "*" ? null : "public");
  if (schema === null) throw new FilterError("A binding to row changes needs a schema or a table.");
  if (filter !== undefined && filter !== null && typeof filter !== "string") {
    throw new FilterError("The filter of a binding must be a text.");
  }
  if ((filter?.length ?? 0) > limits.filterLength) {
    throw new FilterError(`A filter can have at most ${limits.filterLength} characters.`);
  }
  const conditions = parseFilter(filter ?? "");
  const columns = columnsOf(select);
  const isOneTable = schema !== "*" && table !== null && table !== "*";
  if (!isOneTable && conditions.length > 0) throw new FilterError("A filter needs one table, not all of them.");
  if (!isOneTable && columns !== null) throw new FilterError("A select needs one table, not all of them.");
  return {
    event: eventOf(event),
    schema: schema === "*" ? null : schema,
    table: table === "*" ? null : table,
    conditions,
    select: columns,
  };
}

function nameOf(value: unknown, what: string): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== "string" || value === "") throw new FilterError(`The ${what} of a binding must be a name.`);
  return value;
}

function eventOf(value: unknown): ChangeEvent | "*" {
  const word = typeof value === "string" ? value.toUpperCase() : "*";
  return word === "INSERT" || word === "UPDATE" || word === "DELETE" ? word : "*";
}

function columnsOf(value: unknown): readonly string[] | null {
  if (value === undefined || value === null) return null;
  if (!Array.isArray(value) || !value.every((name): name is string => typeof name === "string")) {
    throw new FilterError("The select of a binding must be a list of columns.");
  }
  return value.length === 0 ? null : [...new Set(value)];
}

/**
 * Numbers that fit 31 bits, because Kotlin reads them as Int. They come from the parameters, so that a client that joins again finds
 * the ones it knows; equal bindings of a channel count on.
 */
function numbersOf(sent: readonly Readonly<Record<string, unknown>>[]): readonly number[] {
  const taken = new Set<number>();
  return sent.map(({ event, schema, table, filter, select }) => {
    const text = JSON.stringify([event ?? null, schema ?? null, table ?? null, filter ?? null, select ?? null]);
    let id = createHash("sha256").update(text).digest().readUInt32BE(0) & 0x7fff_ffff;
    while (taken.has(id)) id = (id + 1) & 0x7fff_ffff;
    taken.add(id);
    return id;
  });
}
