/** One word of TypeScript source. */
export interface Token {
  readonly kind: "name" | "number" | "string" | "template" | "regex" | "sign";
  /** As it stands in the source, quotes included. Signs are one character each, but for `=>` and `...`. */
  readonly text: string;
  /** The doc comment right before it, without its stars; `null` when there is none. */
  readonly doc: string | null;
  /** From 1. */
  readonly line: number;
}

/** Words after which a `/` begins a regular expression and does not divide. */
const beforeRegex = new Set(["return", "case", "typeof", "in", "of", "throw", "await", "yield", "new", "else"]);

/**
 * Splits TypeScript into words, so that its reference docs are read from the source soundly: a `new Problem(` in a comment or
 * a text is not one. TypeScript 7 has no parser to call from JavaScript, and evaluating the source would need its arguments.
 * @throws Error at the line of a text, template or comment that never ends
 */
export function tokenize(source: string): readonly Token[] {
  const tokens: Token[] = [];
  let doc: string | null = null;
  let at = 0;
  let line = 1;
  while (at < source.length) {
    const rest = source.slice(at);
    const [space] = /^\s+/.exec(rest) ?? [];
    if (space !== undefined) {
      advance(space);
      continue;
    }
    const [comment] = /^\/\/[^\n]*|^\/\*[\s\S]*?\*\//.exec(rest) ?? [];
    if (comment !== undefined) {
      if (comment.startsWith("/**")) doc = sentenceOf(comment);
      advance(comment);
      continue;
    }
    const { kind, text } = next(rest, tokens.at(-1), line);
    tokens.push({ kind, text, doc, line });
    doc = null;
    advance(text);
  }
  return tokens;

  function advance(text: string): void {
    at += text.length;
    line += text.split("\n").length - 1;
  }
}

function next(rest: string, before: Token | undefined, line: number): Pick<Token, "kind" | "text"> {
  const take = (kind: Token["kind"], pattern: RegExp): Pick<Token, "kind" | "text"> | null => {
    const [text] = pattern.exec(rest) ?? [];
    return text === undefined ? null : { kind, text };
  };
  const first = rest[0] ?? "";
  if (first === "`") return { kind: "template", text: templateIn(rest, line) };
  const found =
    take("string", /^"(?:[^"\\\n]|\\.)*"|^'(?:[^'\\\n]|\\.)*'/) ??
    take("number", /^\d[\w.]*/) ??
    take("name", /^[\p{L}_$][\p{L}\p{N}_$]*/u) ??
    (first === "/" && beginsRegex(before)
      ? take("regex", /^\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/)
      : null) ??
    take("sign", /^(?:=>|\.\.\.)/);
  if (found !== null) return found;
  if (first === '"' || first === "'") throw new Error(`line ${line}: a text begins here and does not end`);
  return { kind: "sign", text: first };
}

function beginsRegex(before: Token | undefined): boolean {
  if (before === undefined) return true;
  if (before.kind === "name") return beforeRegex.has(before.text);
  return before.kind === "sign" && ![")", "]", "}"].includes(before.text);
}

/** A whole template literal, with those inside of its `${}`. */
function templateIn(rest: string, line: number): string {
  let at = 1;
  while (at < rest.length) {
    if (rest[at] === "\\") at += 2;
    else if (rest[at] === "`") return rest.slice(0, at + 1);
    else if (rest.startsWith("${", at)) at = endOfSubstitution(rest, at + 2, line);
    else at += 1;
  }
  throw new Error(`line ${line}: a template begins here and does not end`);
}

/** Where the `}` of a `${` ends. */
function endOfSubstitution(rest: string, from: number, line: number): number {
  let depth = 1;
  let at = from;
  while (at < rest.length) {
    const { text, kind } = next(rest.slice(at), undefined, line);
    if (kind === "sign" && text === "{") depth += 1;
    if (kind === "sign" && text === "}") depth -= 1;
    at += text.length;
    if (depth === 0) return at;
  }
  throw new Error(`line ${line}: a template begins here and does not end`);
}

/** The words of a doc comment on one line, up to its first tag. */
function sentenceOf(comment: string): string {
  const text = comment
    .slice(3, -2)
    .split("\n")
    .map((each) => each.replace(/^\s*\*\s?/, "").trim())
    .join(" ");
  return (text.split(/\s@(?:param|throws|returns|see)\b/)[0] ?? "").trim();
}

/** What a text or template says; `${…}` is given to `fill`. */
export function textOf({ kind, text }: Token, fill: (expression: string) => string): string {
  const inner = text.slice(1, -1);
  if (kind === "string") return unescaped(inner);
  let said = "";
  let at = 0;
  while (at < inner.length) {
    if (!inner.startsWith("${", at)) {
      const [piece = ""] = /^(?:\\[\s\S]|[^\\$]|\$(?!\{))+/.exec(inner.slice(at)) ?? [];
      said += unescaped(piece);
      at += piece.length;
      continue;
    }
    const end = endOfSubstitution(inner, at + 2, 0);
    said += fill(inner.slice(at + 2, end - 1).trim());
    at = end;
  }
  return said;
}

const unescaped = (text: string): string =>
  text.replace(/\\([\s\S])/g, (_, character: string) => ({ n: "\n", t: "\t" })[character] ?? character);

const opening = new Set(["(", "[", "{"]);
const closing = new Set([")", "]", "}"]);

/** Index of the bracket that closes the one at `open`. */
export function closeOf(tokens: readonly Token[], open: number): number {
  let depth = 0;
  for (let at = open; at < tokens.length; at += 1) {
    const { kind, text } = tokens[at]!;
    if (kind !== "sign") continue;
    if (opening.has(text)) depth += 1;
    if (closing.has(text)) depth -= 1;
    if (depth === 0) return at;
  }
  throw new Error(`line ${tokens[open]?.line}: a bracket opens here and does not close`);
}

/** Splits at commas that are in no bracket; `inTypes` counts `<…>` as brackets too. A trailing comma adds nothing. */
export function splitAtCommas(tokens: readonly Token[], inTypes = false): readonly (readonly Token[])[] {
  const parts: Token[][] = [[]];
  let depth = 0;
  for (const token of tokens) {
    const { kind, text } = token;
    if (kind === "sign") {
      if (opening.has(text) || (inTypes && text === "<")) depth += 1;
      if (closing.has(text) || (inTypes && text === ">")) depth -= 1;
      if (text === "," && depth === 0) {
        parts.push([]);
        continue;
      }
    }
    parts.at(-1)!.push(token);
  }
  return parts.filter((part) => part.length > 0);
}

/** True when the words at `at` are exactly these. */
export function isAt(tokens: readonly Token[], at: number, ...words: readonly string[]): boolean {
  return words.every((word, index) => tokens[at + index]?.text === word);
}
