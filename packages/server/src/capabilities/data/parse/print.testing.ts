import type { Condition, EmbedHead, Field, Operand, OrderTerm, ParsedQuery, SelectItem } from "../request.ts";

/** Writes a query as a client would: the inverse of lexing and parsing. Operands must be literals. */
export function print(query: ParsedQuery, encode: (text: string) => string): string {
  const pairs: [key: string, value: string][] = [["select", query.select.map(printItem).join(",")]];
  for (const { path, value } of query.conditions) pairs.push(printCondition(path, value));
  for (const { path, value } of query.order) pairs.push([scoped(path, "order"), value.map(printTerm).join(",")]);
  for (const { path, value } of query.limits) pairs.push([scoped(path, "limit"), literal(value)]);
  for (const { path, value } of query.offsets) pairs.push([scoped(path, "offset"), literal(value)]);
  if (query.columns !== null) pairs.push(["columns", query.columns.map(printName).join(",")]);
  if (query.onConflict !== null) pairs.push(["on_conflict", query.onConflict.map(printName).join(",")]);
  return pairs.map(([key, value]) => `${encode(key)}=${encode(value)}`).join("&");
}

/** Replaces slots by the values they stand for, so that a parsed query can be compared with a written one. */
export function fillIn(query: ParsedQuery, values: readonly string[]): ParsedQuery {
  const fill = <T>(value: T): T => {
    if (Array.isArray(value)) return value.map(fill) as T;
    if (typeof value !== "object" || value === null) return value;
    const operand = value as { kind?: unknown; index?: unknown };
    if (operand.kind === "slot") return { kind: "literal", text: values[operand.index as number] } as T;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fill(inner)])) as T;
  };
  return fill(query);
}

export const literal = (operand: Operand): string => {
  if (operand.kind !== "literal") throw new Error("Only literals can be written.");
  return operand.text;
};

const reserved = new Set([
  "select",
  "columns",
  "on_conflict",
  "apikey",
  "order",
  "limit",
  "offset",
  "and",
  "or",
  "not",
  "count",
  "inner",
  "left",
]);
const quote = (text: string) => `"${text.replace(/[\\"]/g, "\\$&")}"`;
const printName = (name: string) =>
  /^[a-z_][a-z0-9_]*(-[a-z]+)*$/.test(name) && !reserved.has(name) ? name : quote(name);
const scoped = (path: readonly string[], key: string) => [...path.map(printName), key].join(".");

function printField({ name, path }: Field): string {
  const steps = path.map((step) => step.arrow + ("index" in step ? step.index : printName(step.key)));
  return printName(name) + steps.join("");
}

function printEmbed({ target, hint, join, items }: EmbedHead): string {
  const modifiers = [join === null ? "" : `!${join}`, hint === null ? "" : `!${printName(hint)}`];
  return `${printName(target)}${modifiers.join("")}(${items.map(printItem).join(",")})`;
}

function printItem(item: SelectItem): string {
  const alias = "alias" in item && item.alias !== null ? `${printName(item.alias)}:` : "";
  const cast = (name: string | null) => (name === null ? "" : `::${name}`);
  switch (item.kind) {
    case "star":
      return "*";
    case "count":
      return `${alias}count()${cast(item.cast)}`;
    case "embed":
      return alias + printEmbed(item);
    case "spread":
      return `...${printEmbed(item)}`;
    case "column": {
      const aggregate = item.aggregate === null ? "" : `.${item.aggregate.name}()${cast(item.aggregate.cast)}`;
      return alias + printField(item.field) + cast(item.cast) + aggregate;
    }
  }
}

function printCondition(path: readonly string[], condition: Condition): [key: string, value: string] {
  if (condition.kind === "logic")
    return [
      scoped(path, `${condition.negated ? "not." : ""}${condition.operator}`),
      `(${condition.conditions.map(printInner).join(",")})`,
    ];
  return [scoped(path, printField(condition.field)), printOperation(condition, literal)];
}

function printInner(condition: Condition): string {
  if (condition.kind === "logic")
    return `${condition.negated ? "not." : ""}${condition.operator}(${condition.conditions.map(printInner).join(",")})`;
  const operand = (one: Operand) => (/^[a-z]+$/.test(literal(one)) ? literal(one) : quote(literal(one)));
  return `${printField(condition.field)}.${printOperation(condition, condition.kind === "in" ? literal : operand)}`;
}

function printOperation(
  condition: Exclude<Condition, { readonly kind: "logic" }>,
  operand: (operand: Operand) => string,
): string {
  const not = condition.negated ? "not." : "";
  switch (condition.kind) {
    case "is":
      return `${not}is.${condition.test}`;
    case "in":
      return `${not}in.${operand(condition.operand)}`;
    case "fts":
      return `${not}${condition.operator}${condition.config === null ? "" : `(${condition.config})`}.${operand(condition.operand)}`;
    case "compare":
      return `${not}${condition.operator}${condition.quantifier === null ? "" : `(${condition.quantifier})`}.${operand(condition.operand)}`;
  }
}

function printTerm({ embed, field, direction, nulls }: OrderTerm): string {
  const target = embed === null ? printField(field) : `${printName(embed)}(${printField(field)})`;
  return target + (direction === null ? "" : `.${direction}`) + (nulls === null ? "" : `.nulls${nulls}`);
}
