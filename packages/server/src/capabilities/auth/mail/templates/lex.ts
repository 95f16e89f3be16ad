import { TemplateError } from "./error.ts";

/** Go's text/template grammar (pkg.go.dev/text/template), as far as its own lexer goes. */
export type Token =
  | { readonly kind: "text"; readonly at: number; readonly text: string }
  | { readonly kind: "open" | "close" | "end"; readonly at: number }
  | {
      readonly kind: "word" | "field" | "variable" | "mark";
      readonly at: number;
      readonly text: string;
      /** Whitespace comes before it: `.a .b` are two operands, `.a.b` is one. */
      readonly isApart: boolean;
    }
  | { readonly kind: "literal"; readonly at: number; readonly value: string | number; readonly isApart: boolean };

export interface Source {
  /** The file, for messages. */
  readonly name: string;
  readonly text: string;
}

const comment = /\{\{(?:-[ \t\r\n]+)?\/\*/y;
const commentEnd = /\*\/(?:[ \t\r\n]+-)?\}\}/y;
const space = /[ \t\r\n]+/y;
const word = /[\p{L}_][\p{L}\p{Nd}_]*/uy;
const number = /[+-]?(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|(?:\d[\d_]*)?\.?\d[\d_]*(?:[eE][+-]?\d+)?)/y;
const quoted = /"(?:[^"\\\n]|\\.)*"/y;
const raw = /`[^`]*`/y;
const character = /'(?:[^'\\\n]|\\(?:[abfnrtv\\'"]|x[0-9a-fA-F]{2}|[0-7]{3}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}))'/uy;
const mark = /:=|[=|(),]/y;

/** @throws TemplateError */
export function lex(source: Source): readonly Token[] {
  const { text } = source;
  const tokens: Token[] = [];
  let at = 0;
  let isTrimming = false;
  const take = (pattern: RegExp): string | null => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0] ?? null;
  };

  while (at < text.length) {
    const open = text.indexOf("{{", at);
    const end = open < 0 ? text.length : open;
    const trimsBefore = open >= 0 && text[open + 2] === "-" && isSpace(text[open + 3]);
    let plain = text.slice(at, end);
    if (isTrimming) plain = plain.replace(/^[ \t\r\n]+/, "");
    // Not a pattern: one that ends in `+$` takes quadratic time on a long run of spaces.
    if (trimsBefore) plain = trimmedEnd(plain);
    if (plain !== "") tokens.push({ kind: "text", at, text: plain });
    isTrimming = false;
    at = end;
    if (open < 0) break;

    const commentStart = take(comment);
    if (commentStart !== null) {
      const close = text.indexOf("*/", at + commentStart.length);
      if (close < 0) throw new TemplateError(source, open, "the comment does not end");
      at = close;
      const closing = take(commentEnd);
      if (closing === null) throw new TemplateError(source, open, "a comment must be alone between {{ and }}");
      isTrimming = closing.includes("-");
      at += closing.length;
      continue;
    }
    tokens.push({ kind: "open", at });
    at += trimsBefore ? 3 : 2;
    action(open);
  }
  tokens.push({ kind: "end", at: text.length });
  return tokens;

  /** Everything up to `}}`. */
  function action(open: number): void {
    let isApart = true;
    for (;;) {
      const gap = take(space);
      if (gap !== null) {
        at += gap.length;
        isApart = true;
      }
      if (at >= text.length) throw new TemplateError(source, open, "this {{ has no }}");
      const trims = isApart && text.startsWith("-}}", at);
      if (trims || text.startsWith("}}", at)) {
        tokens.push({ kind: "close", at });
        at += trims ? 3 : 2;
        isTrimming = trims;
        return;
      }
      tokens.push(one(isApart));
      isApart = false;
    }
  }

  function one(isApart: boolean): Token {
    const start = at;
    const first = text[at]!;
    const token = (kind: "word" | "field" | "variable" | "mark", length: number, skip = 0): Token => {
      at += length;
      return { kind, at: start, text: text.slice(start + skip, at), isApart };
    };
    const literal = (value: string | number, length: number): Token => {
      at += length;
      return { kind: "literal", at: start, value, isApart };
    };
    if (first === '"') {
      const found = take(quoted);
      if (found === null) throw new TemplateError(source, start, "this text has no closing quote");
      return literal(unescaped(found.slice(1, -1), start), found.length);
    }
    if (first === "`") {
      const found = take(raw);
      if (found === null) throw new TemplateError(source, start, "this text has no closing backquote");
      return literal(found.slice(1, -1).replaceAll("\r", ""), found.length);
    }
    if (first === "'") {
      const found = take(character);
      if (found === null) throw new TemplateError(source, start, "this is no character");
      return literal(unescaped(found.slice(1, -1), start).codePointAt(0) ?? 0, found.length);
    }
    const digits = take(number);
    if (digits !== null && !/^[+-]?\.$/.test(digits)) {
      const value = Number(
        digits
          .replaceAll("_", "")
          .replace(/^\+/, "")
          .replace(/^(-?)(0[xXoObB].*)$/, "$2"),
      );
      if (!Number.isFinite(value)) throw new TemplateError(source, start, `${digits} is no number`);
      return literal(/^-0[xXoObB]/.test(digits) ? -value : value, digits.length);
    }
    if (first === "." || first === "$") {
      at += 1;
      const name = take(word);
      at = start;
      return token(first === "." ? "field" : "variable", 1 + (name?.length ?? 0), 1);
    }
    const name = take(word);
    if (name !== null) return token("word", name.length);
    const sign = take(mark);
    if (sign !== null) return token("mark", sign.length);
    throw new TemplateError(
      source,
      start,
      `${JSON.stringify(String.fromCodePoint(text.codePointAt(at)!))} is not expected here`,
    );
  }

  /** Go's escapes in quoted text (Go specification, String literals). */
  function unescaped(body: string, start: number): string {
    return body.replace(
      /\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))/gsu,
      (all, hex?: string, octal?: string, short?: string, long?: string, simple?: string) => {
        if (simple !== undefined) {
          const plain = escapes[simple];
          if (plain === undefined) throw new TemplateError(source, start, `${all} means nothing in a text`);
          return plain;
        }
        const code = octal === undefined ? Number.parseInt((hex ?? short ?? long)!, 16) : Number.parseInt(octal, 8);
        if (code > 0x10ffff) throw new TemplateError(source, start, `${all} is no character`);
        return String.fromCodePoint(code);
      },
    );
  }
}

const escapes: Readonly<Record<string, string>> = {
  a: "\u0007",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
};

const isSpace = (character: string | undefined): boolean => character !== undefined && " \t\r\n".includes(character);

function trimmedEnd(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text[end - 1])) end -= 1;
  return text.slice(0, end);
}
