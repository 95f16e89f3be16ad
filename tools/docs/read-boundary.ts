import { closeOf, isAt, type Token, textOf, tokenize } from "./tokens.ts";

/** What a boundary makes of another part's problem. */
export interface Translation {
  readonly code: string;
  /** In the dialect's words; the status is `null` where it stays as it is. */
  readonly becomes: readonly { readonly code: string; readonly status: string | null }[];
}

/** Reads the `switch` over codes in a boundary's `translate`. */
export function readTranslations(source: string): readonly Translation[] {
  const tokens = tokenize(source);
  const found: Translation[] = [];
  const start = tokens.findIndex((_, at) => isAt(tokens, at, "function", "translate"));
  const open = tokens.findIndex(({ text }, at) => at > start && text === "switch");
  if (start === -1 || open === -1) throw new Error("The boundary has no function translate with a switch.");
  const first = tokens.findIndex(({ text }, at) => at > open && text === "{");
  const body = tokens.slice(first + 1, closeOf(tokens, first));
  let labels: string[] = [];
  let becomes: { code: string; status: string | null }[] = [];
  const finish = () => {
    if (becomes.length > 0) found.push(...labels.map((code) => ({ code, becomes })));
    if (becomes.length > 0) [labels, becomes] = [[], []];
  };
  for (const [at, token] of body.entries()) {
    if (token.text === "case" || token.text === "default") finish();
    if (token.text === "case" && body[at + 1]?.kind === "string") labels.push(plain(body[at + 1]!));
    if (token.text === "{") {
      const inside = body.slice(at + 1, closeOf(body, at));
      const code = valueAt(inside, "code");
      if (code !== undefined) becomes.push({ code: plain(code), status: valueAt(inside, "status")?.text ?? null });
    }
  }
  finish();
  return found;
}

function valueAt(tokens: readonly Token[], name: string): Token | undefined {
  const at = tokens.findIndex((_, index) => isAt(tokens, index, name, ":"));
  const value = tokens[at + 2];
  return at !== -1 && (value?.kind === "string" || value?.kind === "number") ? value : undefined;
}

const plain = (token: Token): string => textOf(token, () => "");

/** The rows of a `new Map([["23503", 409], …])` or of a list of lists, by the name of its constant. */
export function readRows(source: string, constant: string): readonly (readonly string[])[] {
  const tokens = tokenize(source);
  const at = tokens.findIndex((_, index) => isAt(tokens, index, "const", constant));
  const equals = tokens.findIndex(({ text }, index) => index > at && text === "=");
  const open = tokens.findIndex(({ text }, index) => index > equals && text === "[");
  if (at === -1 || open === -1) throw new Error(`There is no list named ${constant}.`);
  const body = tokens.slice(open + 1, closeOf(tokens, open));
  return body.flatMap(({ text }, index) =>
    text === "["
      ? [
          body
            .slice(index + 1, closeOf(body, index))
            .filter(isValue)
            .map(valueText),
        ]
      : [],
  );
}

const isValue = ({ kind }: Token): boolean => kind === "string" || kind === "number" || kind === "name";
const valueText = (token: Token): string => (token.kind === "string" ? plain(token) : token.text);

/** SQLSTATEs that `statusOf` treats by more than a table: the generator's text has to say how. */
export function readSpecialStates(source: string): readonly string[] {
  const tokens = tokenize(source);
  const at = tokens.findIndex((_, index) => isAt(tokens, index, "function", "statusOf"));
  const states = tokens.slice(at).filter(({ kind, text }) => kind === "string" && /^"[0-9A-Z]{5}"$/.test(text));
  return [...new Set(states.map(plain))].sort();
}
