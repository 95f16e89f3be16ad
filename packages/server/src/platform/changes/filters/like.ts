/**
 * `text like pattern` as PostgreSQL decides it under a deterministic collation: character by character, `%` for any number of them,
 * `_` for one, a backslash before what is meant literally. At worst in the time of both lengths
 * multiplied: a pattern comes from a client.
 */
export function likeMatcher(pattern: string): (text: string) => boolean {
  const parts = partsOf(pattern);
  return (text) => matches(parts, Array.from(text));
}

/** Whether PostgreSQL refuses the pattern: it ends with what should escape something. */
export function endsWithEscape(pattern: string): boolean {
  return (/\\*$/.exec(pattern)?.[0].length ?? 0) % 2 === 1;
}

type Part = { readonly kind: "any" } | { readonly kind: "one" } | { readonly kind: "this"; readonly character: string };

function partsOf(pattern: string): readonly Part[] {
  const parts: Part[] = [];
  const characters = Array.from(pattern);
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!;
    if (character === "%") parts.push({ kind: "any" });
    else if (character === "_") parts.push({ kind: "one" });
    else if (character === "\\") parts.push({ kind: "this", character: characters[++at] ?? "\\" });
    else parts.push({ kind: "this", character });
  }
  return parts;
}

/** Goes back only to the last `%`: what an earlier one took can stay taken. */
function matches(parts: readonly Part[], text: readonly string[]): boolean {
  let [at, part] = [0, 0];
  let [anyPart, anyAt] = [-1, 0];
  while (at < text.length) {
    const current = parts[part];
    if (current?.kind === "any") {
      anyPart = part++;
      anyAt = at;
    } else if (current !== undefined && (current.kind === "one" || current.character === text[at])) {
      part += 1;
      at += 1;
    } else if (anyPart >= 0) {
      part = anyPart + 1;
      at = ++anyAt;
    } else return false;
  }
  return parts.slice(part).every(({ kind }) => kind === "any");
}
