/** One step of a pattern: a character, a class of them, or a run. */
type Step =
  | { readonly kind: "one"; readonly matches: (character: string) => boolean }
  | { readonly kind: "run"; readonly matches: (character: string) => boolean };

/** A parsed pattern. */
export type Glob = readonly Step[];

/**
 * Parses a glob (Supabase docs, Redirect URLs): `*` is a run without `separator`, `**` any run, `?` one character that is no
 * separator, `[a-z]` and `[!a-z]` one of, or none of, these. A `[` without its `]` is itself.
 */
export function parseGlob(text: string, separator: "." | "/"): Glob {
  const isOther = (character: string) => character !== separator;
  const steps: Step[] = [];
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    const list = character === "[" ? /^\[(!?)([^\]/]+)\]/.exec(text.slice(at)) : null;
    if (character === "*") {
      const isDouble = text[at + 1] === "*";
      if (isDouble) at++;
      steps.push({ kind: "run", matches: isDouble ? () => true : isOther });
    } else if (character === "?") {
      steps.push({ kind: "one", matches: isOther });
    } else if (list !== null && !/^[0-9a-f:.]*:[0-9a-f:.]*$/i.test(list[2]!)) {
      const isNegated = list[1] === "!";
      const isListed = listed(list[2]!);
      steps.push({ kind: "one", matches: (one) => isOther(one) && isListed(one) !== isNegated });
      at += list[0].length - 1;
    } else {
      steps.push({ kind: "one", matches: (one) => one === character });
    }
  }
  return steps;
}

function listed(text: string): (character: string) => boolean {
  const range = /^(.)-(.)$/.exec(text);
  return range === null
    ? (character) => text.includes(character)
    : (character) => character >= range[1]! && character <= range[2]!;
}

/** Whether all of `text` matches, in steps × characters at most: no pattern is slow on any text (threat B10). */
export function isGlobMatch(glob: Glob, text: string): boolean {
  // `reached[n]`: the first n steps match what has been read so far.
  let reached = skipRuns(glob, [true]);
  for (const character of text) {
    const next: boolean[] = [];
    for (const [index, step] of glob.entries()) {
      if (!reached[index] || !step.matches(character)) continue;
      next[step.kind === "run" ? index : index + 1] = true;
    }
    reached = skipRuns(glob, next);
  }
  return reached[glob.length] === true;
}

/** A run may be empty. */
function skipRuns(glob: Glob, reached: boolean[]): boolean[] {
  for (const [index, step] of glob.entries()) if (reached[index] && step.kind === "run") reached[index + 1] = true;
  return reached;
}
