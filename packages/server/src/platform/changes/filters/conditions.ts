import type { Principal } from "../../../kernel/principal.ts";
import { type Comparison, comparisonOf } from "./compare.ts";
import { type Condition, FilterError, type Operator } from "./filter.ts";
import { endsWithEscape, likeMatcher } from "./like.ts";
import type { ColumnType, PublishedColumn } from "./published.ts";
import { arrayOf } from "./store.ts";

/** Decides of a value as SQL does: `null` is neither true nor false. */
type Decide = (text: string | null) => boolean | null;

/** What PostgreSQL is asked: an expression over `v`, the value, and `$2`, what it is compared with. No text of a request is in it. */
export interface Question {
  readonly expression: string;
  readonly operand: string | undefined;
}

/** A condition that knows the type of its column. */
export interface CompiledCondition {
  readonly column: string;
  /** Names it among all conditions: equal ones are decided once. */
  readonly key: string;
  /** `null`: PostgreSQL is asked. */
  readonly decide: ((text: string | null) => boolean) | null;
  readonly question: Question | null;
  /** The keys of the only values it is true of, and how a value's key is made; `null` when it is not that simple. */
  readonly only: { readonly keys: readonly string[]; readonly keyOf: (text: string) => string } | null;
}

/** Asks PostgreSQL for the words the log has for values, or of a question whether it can be asked. Rejects with FilterError. */
export interface Asking {
  canonical(type: ColumnType, values: readonly string[]): Promise<readonly string[]>;
  check(question: Question, sample: string | null): Promise<void>;
}

/** Of each value, whether a condition holds that PostgreSQL is asked about. */
export type AskCondition = (
  condition: CompiledCondition,
  who: Principal,
  values: readonly (string | null)[],
) => Promise<readonly boolean[]>;

const sqlOperators: Readonly<Partial<Record<Operator, string>>> = {
  eq: "=",
  neq: "<>",
  lt: "<",
  lte: "<=",
  gt: ">",
  gte: ">=",
  like: "~~",
  ilike: "~~*",
  match: "~",
  imatch: "~*",
};
const forText = new Set<Operator>(["like", "ilike", "match", "imatch"]);

/**
 * Makes a condition for its column. At once when nothing must be asked, so that most joins wait for nothing.
 * @throws FilterError, or rejects with one
 */
export function compileCondition(
  condition: Condition,
  column: PublishedColumn,
  asking: Asking,
): CompiledCondition | Promise<CompiledCondition> {
  const { type } = column;
  const { operator, values } = condition;
  const refuse = () => new FilterError(`The filter on "${column.name}": ${operator} does not go with its type.`);
  if (operator === "is") {
    if (values[0] !== "null" && type.name !== "bool") throw refuse();
    return known(condition, isDecide(values[0]!));
  }
  if (operator === "isdistinct" && values[0] === null) return known(condition, (text) => text !== null);
  const given = values as readonly string[];
  if (forText.has(operator)) {
    if (!type.isText) throw refuse();
    if ((operator === "like" || operator === "ilike") && endsWithEscape(given[0]!)) {
      throw new FilterError(`The filter on "${column.name}": a pattern must not end with a backslash.`);
    }
    if (operator === "like" && type.isDeterministic && (type.name === "text" || type.name === "varchar")) {
      const matches = likeMatcher(given[0]!);
      return known(condition, (text) => (text === null ? null : matches(text)));
    }
    return askedCondition(condition, type, given, asking);
  }
  const comparison = comparisonOf(type);
  const canonical = given.map((value) => comparison.canonical(value));
  if (canonical.every((value) => value !== null)) return compared(condition, type, comparison, canonical, asking);
  return asking.canonical(type, given).then((values) => compared(condition, type, comparison, values, asking));
}

const isDecide =
  (word: string): Decide =>
  (text) => {
    switch (word) {
      case "null":
      case "unknown":
        return text === null;
      case "true":
        return text === "t";
      default:
        return text === "f";
    }
  };

/** Decided in memory. `is` and `isdistinct` are never unknown; the rest is unknown of NULL, and so is its negation. */
function known(condition: Condition, decide: Decide, only: CompiledCondition["only"] = null): CompiledCondition {
  const { column, isNegated } = condition;
  return {
    column,
    key: JSON.stringify(condition),
    decide: isNegated ? (text) => decide(text) === false : (text) => decide(text) === true,
    question: null,
    only: isNegated ? null : only,
  };
}

function compared(
  condition: Condition,
  type: ColumnType,
  { key, order }: Comparison,
  values: readonly string[],
  asking: Asking,
): CompiledCondition | Promise<CompiledCondition> {
  const unlessNull =
    (decide: (text: string) => boolean): Decide =>
    (text) =>
      text === null ? null : decide(text);
  const { operator } = condition;
  const value = values[0]!;
  if (key !== null) {
    const keys = values.map(key);
    const set = new Set(keys);
    const only = { keys: [...set], keyOf: key };
    if (operator === "eq" || operator === "in")
      return known(
        condition,
        unlessNull((text) => set.has(key(text))),
        only,
      );
    if (operator === "neq")
      return known(
        condition,
        unlessNull((text) => !set.has(key(text))),
      );
    if (operator === "isdistinct") return known(condition, (text) => text === null || !set.has(key(text)));
  }
  if (order !== null) {
    if (operator === "lt")
      return known(
        condition,
        unlessNull((text) => order(text, value) < 0),
      );
    if (operator === "lte")
      return known(
        condition,
        unlessNull((text) => order(text, value) <= 0),
      );
    if (operator === "gt")
      return known(
        condition,
        unlessNull((text) => order(text, value) > 0),
      );
    if (operator === "gte")
      return known(
        condition,
        unlessNull((text) => order(text, value) >= 0),
      );
  }
  return askedCondition(condition, type, values, asking);
}

async function askedCondition(
  condition: Condition,
  type: ColumnType,
  values: readonly string[],
  asking: Asking,
): Promise<CompiledCondition> {
  const question = questionOf(condition, type, values);
  await asking.check(question, forText.has(condition.operator) ? "" : null);
  return { column: condition.column, key: JSON.stringify([condition, type.sql]), decide: null, question, only: null };
}

/** Names in it are the catalogue's, operators from the table above. */
function questionOf({ operator, isNegated }: Condition, type: ColumnType, values: readonly string[]): Question {
  const value = `v::${type.sql}`;
  const isText = forText.has(operator);
  const expression = (() => {
    if (operator === "isdistinct") return `${value} is distinct from $2::text::${type.sql}`;
    if (operator === "in") {
      return `${value} operator(${type.operatorSchema}.=) any (select e::${type.sql} from unnest($2::text[]) e)`;
    }

    const operand = isText ? "$2::text" : `$2::text::${type.sql}`;
    return `${value} operator(${type.operatorSchema}.${sqlOperators[operator]!}) ${operand}`;
  })();
  return {
    expression: isNegated ? `not (${expression})` : `(${expression})`,
    operand: operator === "in" ? arrayOf(values) : values[0]!,
  };
}
