/** What a position in SQL text is within. A dollar quote is named by its tag. */
type Within = "code" | "text" | "escaped text" | "name" | "comment" | `$${string}`;

export interface Statement {
  /** `null` for one that was not to be kept. */
  readonly text: string | null;
  /** Where it begins. */
  readonly line: number;
}

/**
 * Cuts SQL into statements, line by line, without running or understanding it: whatever is within quotes, function bodies or
 * comments is no statement, however much it looks like one (PostgreSQL docs, Lexical Structure).
 * @param isKept whether a statement's text is wanted, by its first line: a dump is mostly what nobody wants
 */
export function createStatements(isKept: (firstLine: string) => boolean) {
  let within: Within = "code";
  let commentDepth = 0;
  let statement: { parts: string[] | null; line: number; length: number } | null = null;

  /** @returns where the statement ends in this line; -1 when it does not */
  function endIn(text: string): number {
    for (let at = 0; at < text.length; at++) {
      const char = text[at]!;
      const pair = text.slice(at, at + 2);
      switch (within) {
        case "code": {
          if (char === ";") return at + 1;
          if (pair === "--") return -1;
          if (pair === "/*") [within, commentDepth, at] = ["comment", 1, at + 1];
          else if (char === '"') within = "name";
          else if (char === "'") within = /(^|[^\w$])[eE]$/.test(text.slice(0, at)) ? "escaped text" : "text";
          else if (char === "$" && !/[\w$]$/.test(text.slice(Math.max(0, at - 1), at))) {
            const tag = /^\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/.exec(text.slice(at, at + 130))?.[0];
            if (tag !== undefined) [within, at] = [tag as Within, at + tag.length - 1];
          }
          break;
        }
        case "comment":
          if (pair === "/*") [commentDepth, at] = [commentDepth + 1, at + 1];
          else if (pair === "*/") {
            [commentDepth, at] = [commentDepth - 1, at + 1];
            if (commentDepth === 0) within = "code";
          }
          break;
        case "name":
          if (char === '"') within = "code";
          break;
        case "escaped text":
          if (char === "\\") at++;
          else if (char === "'") within = "code";
          break;
        case "text":
          // A doubled quote closes and opens again: the same in effect.
          if (char === "'") within = "code";
          break;
        default: {
          const end = text.indexOf(within, at);
          if (end === -1) return -1;
          at = end + within.length - 1;
          within = "code";
        }
      }
    }
    return -1;
  }

  return {
    /** Longest text kept, in characters; a longer statement is let go, and given as `null`. */
    maxLength: 33_554_432,
    /** Takes one more line, without its end. @returns the statements that end in it, in their order */
    add(text: string, line: number): readonly Statement[] {
      const done: Statement[] = [];
      let rest = text;
      for (;;) {
        if (statement === null) {
          // psql's own commands end with their line (threat B20); between statements there may be nothing, or a comment.
          if (rest.trim() === "" || /^\s*(?:--|\\)/.test(rest)) return done;
          statement = { parts: isKept(rest) ? [] : null, line, length: 0 };
        }
        const end = endIn(rest);
        const part = end === -1 ? rest : rest.slice(0, end);
        statement.length += part.length;
        if (statement.length > this.maxLength) statement.parts = null;
        statement.parts?.push(part);
        if (end === -1) return done;
        done.push({ text: statement.parts?.join("\n") ?? null, line: statement.line });
        statement = null;
        rest = rest.slice(end);
      }
    },
    /** Whether the text stops in the middle of a statement. */
    isOpen: () => statement !== null,
  };
}
