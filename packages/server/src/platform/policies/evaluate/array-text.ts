/** The elements of `{a,"b c",NULL}`, whatever its dimensions: ANY and the operators of arrays do not see them. `undefined` when unreadable. */
export function parseArray(text: string): readonly (string | null)[] | undefined {
  // Bounds that do not start at 1: `[0:1]={a,b}`.
  const start = text.startsWith("[") ? text.indexOf("=") + 1 : 0;
  if (text[start] !== "{" || !text.endsWith("}")) return undefined;
  const elements: (string | null)[] = [];
  let at = start;
  while (at < text.length) {
    const char = text[at]!;
    if (char === "{" || char === "}" || char === ",") {
      at++;
    } else if (char === '"') {
      let element = "";
      for (at++; text[at] !== '"'; at++) {
        if (text[at] === "\\") at++;
        if (at >= text.length) return undefined;
        element += text[at]!;
      }
      at++;
      elements.push(element);
    } else {
      let element = "";
      for (; at < text.length && text[at] !== "," && text[at] !== "}"; at++) {
        if (text[at] === "\\") at++;
        element += text[at] ?? "";
      }
      elements.push(element === "NULL" ? null : element);
    }
  }
  return elements;
}
