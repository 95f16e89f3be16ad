/** What a pattern asks of a text: characters, any one (`null`), or any number of them (`"%"` alone, as a length is never 0). */
type Part = { readonly char: string } | "one" | "many";

/** `undefined` for a pattern that ends in its own escape: an error in SQL. */
function parts(pattern: string): readonly Part[] | undefined {
  const found: Part[] = [];
  const chars = [...pattern];
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at]!;
    if (char === "%") {
      if (found.at(-1) !== "many") found.push("many");
    } else if (char === "_") {
      found.push("one");
    } else if (char === "\\") {
      const escaped = chars[++at];
      if (escaped === undefined) return undefined;
      found.push({ char: escaped });
    } else {
      found.push({ char });
    }
  }
  return found;
}

/**
 * A test for LIKE with its default escape. In time linear in text × pattern, whatever the pattern (threat B10).
 * @returns `undefined` for a pattern that is an error
 */
export function liker(pattern: string): ((text: string) => boolean) | undefined {
  const wanted = parts(pattern);
  if (wanted === undefined) return undefined;
  return (text) => {
    const chars = [...text];
    let [at, part] = [0, 0];
    // Where to go on when what follows the last `%` does not match: one character later.
    let [retryAt, retryPart] = [-1, -1];
    while (at < chars.length) {
      const want = wanted[part];
      if (want === "many") {
        [retryAt, retryPart] = [at, ++part];
      } else if (want !== undefined && (want === "one" || want.char === chars[at])) {
        at++;
        part++;
      } else if (retryPart >= 0) {
        at = ++retryAt;
        part = retryPart;
      } else {
        return false;
      }
    }
    while (wanted[part] === "many") part++;
    return part === wanted.length;
  };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant.
export const isAscii = (text: string): boolean => /^[\x00-\x7f]*$/.test(text);
