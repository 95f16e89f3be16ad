/**
 * The word a statement begins with, in lower case, and what follows it; comments and white space before it are not looked at. `""` when it begins
 * with none.
 */
export function firstWord(text: string): { readonly word: string; readonly rest: string } {
  const bare = withoutComments(text);
  const word = /^[a-z]+/i.exec(bare)?.[0] ?? "";
  return { word: word.toLowerCase(), rest: bare.slice(word.length) };
}

/** Comments nest (PostgreSQL docs, Lexical Structure, Comments). */
function withoutComments(text: string): string {
  let at = 0;
  for (;;) {
    while (/[\s;]/.test(text[at] ?? "")) at++;
    if (text.startsWith("--", at)) {
      const end = /[\n\r]/.exec(text.slice(at));
      if (end === null) return "";
      at += end.index;
    } else if (text.startsWith("/*", at)) {
      at = endOfComment(text, at);
    } else return text.slice(at);
  }
}

function endOfComment(text: string, start: number): number {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = start;
  let depth = 0;
  for (let mark = marks.exec(text); mark !== null; mark = marks.exec(text)) {
    depth += mark[0] === "/*" ? 1 : -1;
    if (depth === 0) return marks.lastIndex;
  }
  return text.length;
}

const controls: ReadonlySet<string> = new Set(["begin", "start", "commit", "end", "abort"]);

/** The word by which a statement would begin or end a transaction; `null` for all others. `rollback to` a savepoint does neither. */
export function transactionControlIn(text: string): string | null {
  const { word, rest } = firstWord(text);
  if (controls.has(word)) return word;
  const next = () => firstWord(rest);
  if (word === "prepare") return next().word === "transaction" ? "prepare transaction" : null;
  if (word !== "rollback") return null;
  const { word: second, rest: after } = next();
  const isToSavepoint =
    second === "to" || ((second === "work" || second === "transaction") && firstWord(after).word === "to");
  return isToSavepoint ? null : "rollback";
}
