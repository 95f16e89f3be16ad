const escapes: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

/**
 * The values of `(1, 'a'), (2, null)` and what may follow it: texts, numbers as text, booleans, `null`. A cast is passed over; any
 * other expression is given as it is written, for whoever reads the value to refuse. @returns `null` when it is no list of rows
 */
export function tuplesOf(text: string): readonly (readonly unknown[])[] | null {
  const rows: (readonly unknown[])[] = [];
  let row: unknown[] = [];
  let literal: string | null = null;
  let word = "";
  let depth = 0;
  const flush = () => {
    row.push(literal ?? wordValue(word));
    literal = null;
    word = "";
  };
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (depth === 0) {
      if (char === "(") depth = 1;
      // `on conflict …`, `returning …`
      else if (/[^\s,]/.test(char)) return char === ";" || rows.length > 0 ? rows : null;
    } else if (char === "'") {
      const isEscape = word.trim().toLowerCase() === "e";
      const end = endOf(text, at, isEscape);
      if (end === -1) return null;
      const body = text.slice(at + 1, end).replaceAll("''", "'");
      const value = isEscape ? body.replace(/\\(.)/gs, (_, one: string) => escapes[one] ?? one) : body;
      if (depth === 1) [literal, word] = [value, ""];
      else word += value;
      at = end;
    } else if (char === "," && depth === 1) flush();
    else if (char === ")" && --depth === 0) {
      flush();
      rows.push(row);
      row = [];
    } else {
      if (char === "(") depth++;
      word += char;
    }
  }
  return depth === 0 ? rows : null;
}

function endOf(text: string, from: number, isEscape: boolean): number {
  for (let at = from + 1; at < text.length; at++) {
    if (isEscape && text[at] === "\\") at++;
    else if (text[at] === "'" && text[at + 1] === "'") at++;
    else if (text[at] === "'") return at;
  }
  return -1;
}

function wordValue(word: string): unknown {
  const bare = word.replace(/::[\w\s."[\]]+$/, "").trim();
  switch (bare.toLowerCase()) {
    case "null":
    case "default":
      return null;
    case "true":
      return true;
    case "false":
      return false;
    default:
      return bare;
  }
}
