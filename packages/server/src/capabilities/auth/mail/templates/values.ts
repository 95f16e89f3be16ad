/** A URL that the server made or the project allows: links may lead to it whatever its scheme, script excepted. */
export class TrustedUrl {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What `urlquery` gave: encoded already. */
export class EncodedText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

const depthMax = 8;
const itemsMax = 1_000;

/** As Go prints with `%v`; what is missing is nothing. */
export function textOf(value: unknown, depth = 0): string {
  if (value === undefined || value === null) return "";
  if (value instanceof TrustedUrl || value instanceof EncodedText) return value.text;
  if (typeof value !== "object") return typeof value === "function" ? "" : String(value);
  if (depth >= depthMax) return "…";
  if (Array.isArray(value)) {
    return `[${value
      .slice(0, itemsMax)
      .map((item) => textOf(item, depth + 1))
      .join(" ")}]`;
  }
  const members = entriesOf(value).slice(0, itemsMax);
  return `map[${members.map(([name, item]) => `${name}:${textOf(item, depth + 1)}`).join(" ")}]`;
}

/** Members by name, in Go's order. */
export const entriesOf = (value: object): [string, unknown][] =>
  Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));

export function isTrue(value: unknown): boolean {
  if (value === undefined || value === null) return false;
  if (typeof value !== "object") return Boolean(value);
  if (value instanceof TrustedUrl || value instanceof EncodedText) return value.text !== "";
  return Array.isArray(value) ? value.length > 0 : Object.keys(value).length > 0;
}

/** A member of a JSON object; `undefined` for whatever is missing. Own members only: `constructor` is none (threat B12). */
export function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  if (value instanceof TrustedUrl || value instanceof EncodedText) return undefined;
  return Object.hasOwn(value, name) ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}

/** What is compared: text that is marked as something is text all the same. */
export const plainOf = (value: unknown): unknown =>
  value instanceof TrustedUrl || value instanceof EncodedText ? value.text : value;
