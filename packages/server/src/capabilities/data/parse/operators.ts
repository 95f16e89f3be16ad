import type { FullTextOperator, QuantifiableOperator, SimpleOperator } from "../request.ts";
import { isNameCode } from "./characters.ts";

/** What stands before the value of a filter, without `not.` and without the closing dot: `like(any)`, `fts(german)`. */
export type OperatorWord =
  | { readonly kind: "compare"; readonly operator: SimpleOperator; readonly quantifier: "any" | "all" | null }
  | { readonly kind: "in" }
  | { readonly kind: "is" }
  | { readonly kind: "fts"; readonly operator: FullTextOperator; readonly config: string | null };

const quantifiable: readonly QuantifiableOperator[] = [
  "eq",
  "gt",
  "gte",
  "lt",
  "lte",
  "like",
  "ilike",
  "match",
  "imatch",
];
const plain: readonly SimpleOperator[] = ["neq", "cs", "cd", "ov", "sl", "sr", "nxr", "nxl", "adj", "isdistinct"];
const fullText: readonly FullTextOperator[] = ["fts", "plfts", "phfts", "wfts"];

const words = new Map<string, OperatorWord>([
  ["in", { kind: "in" }],
  ["is", { kind: "is" }],
  ...plain.map((operator) => [operator, { kind: "compare", operator, quantifier: null }] as const),
  ...quantifiable.flatMap((operator) => [
    [operator, { kind: "compare", operator, quantifier: null }] as const,
    [`${operator}(any)`, { kind: "compare", operator, quantifier: "any" }] as const,
    [`${operator}(all)`, { kind: "compare", operator, quantifier: "all" }] as const,
  ]),
  ...fullText.map((operator) => [operator, { kind: "fts", operator, config: null }] as const),
]);

/** Reads an operator word; `null` when it is none. PostgREST docs, Tables and Views, Operators. */
export function readOperator(word: string): OperatorWord | null {
  const known = words.get(word);
  if (known !== undefined) return known;
  const open = word.indexOf("(");
  if (open < 0 || !word.endsWith(")")) return null;
  const operator = words.get(word.slice(0, open));
  if (operator?.kind !== "fts") return null;
  const config = word.slice(open + 1, -1).trim();
  if (config === "") return null;
  for (let at = 0; at < config.length; at++) if (!isNameCode(config.charCodeAt(at))) return null;
  return { ...operator, config };
}

/** How the lexer treats what follows a prefix. */
export type PrefixRole = "value" | "list" | "is" | "not";

/**
 * Every fixed prefix as it may stand in a raw query string: with its parentheses as themselves, and percent-encoded as
 * URLSearchParams writes them. Anything else takes the slow road through `readOperator`.
 */
export const rawPrefixes: ReadonlyMap<string, PrefixRole> = new Map<string, PrefixRole>([
  ["not", "not"],
  ...[...words].flatMap(([word, operator]): [string, PrefixRole][] => {
    const role = roleOf(operator);
    const encoded = word.replace("(", "%28").replace(")", "%29");
    return encoded === word
      ? [[word, role]]
      : [
          [word, role],
          [encoded, role],
        ];
  }),
]);

export function roleOf(operator: OperatorWord): PrefixRole {
  if (operator.kind === "in") return "list";
  return operator.kind === "is" ? "is" : "value";
}

const truthTests = new Set(["null", "not_null", "true", "false", "unknown"]);
export type TruthTest = "null" | "not_null" | "true" | "false" | "unknown";

/** What `is.` may be followed by, in any case; `null` for anything else. */
export function readTruthTest(word: string): TruthTest | null {
  const test = word.toLowerCase();
  return truthTests.has(test) ? (test as TruthTest) : null;
}
