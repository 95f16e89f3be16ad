type Version = readonly [number, number, number, string | null];

/**
 * Whether an installed version is one that a range asks for, by npm's rules: `1.2.3`, `^1.2`, `~1`, `1.x`, `>=1 <3`, `1 - 2`, `a || b`.
 * A tag (`latest`, `next`) and what is no range at all are satisfied by any.
 * https://github.com/npm/node-semver#ranges
 */
export function satisfies(version: string, range: string): boolean {
  const found = read(version);
  if (found === null) return true;
  return range.split("||").some((part) => {
    const hyphen = /^\s*(\S+)\s+-\s+(\S+)\s*$/.exec(part);
    const terms = hyphen
      ? [`>=${hyphen[1]}`, `<=${hyphen[2]}`]
      : part
          .replace(/([<>=^~])\s+/g, "$1")
          .trim()
          .split(/\s+/);
    return terms.every((term) => meets(found, term));
  });
}

function meets(found: Version, term: string): boolean {
  const match = /^(>=|<=|>|<|=|\^|~)?v?(\d+|[xX*])?(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?(?:-([\w.-]+))?(?:\+.*)?$/.exec(
    term,
  );
  if (match === null) return true;
  const [, operator = "=", major, minor, patch, pre = null] = match;
  if (major === undefined || !/\d/.test(major)) return true;
  const parts = [major, minor, patch].map((part) => (part !== undefined && /\d/.test(part) ? Number(part) : null));
  const [a, b, c] = parts as [number, number | null, number | null];
  const low: Version = [a, b ?? 0, c ?? 0, pre];
  // What comes after all that the written numbers cover: of `1.2` that is 1.3.0.
  const next: Version = b === null ? [a + 1, 0, 0, null] : c === null ? [a, b + 1, 0, null] : [a, b, c + 1, null];
  switch (operator) {
    case ">=":
      return compare(found, low) >= 0;
    case ">":
      return c === null ? compare(found, next) >= 0 : compare(found, low) > 0;
    case "<":
      return compare(found, low) < 0;
    case "<=":
      return c === null ? compare(found, next) < 0 : compare(found, low) <= 0;
    case "^":
      return compare(found, low) >= 0 && isBelow(found, caretEnd(a, b, c));
    case "~":
      return compare(found, low) >= 0 && isBelow(found, b === null ? [a + 1, 0, 0, null] : [a, b + 1, 0, null]);
    default:
      return c === null ? compare(found, low) >= 0 && isBelow(found, next) : compare(found, low) === 0;
  }
}

/** `^0.2.3` ends at 0.3.0, `^0.0.3` at 0.0.4: the first number that is not zero stays. */
function caretEnd(a: number, b: number | null, c: number | null): Version {
  if (a > 0 || b === null) return [a + 1, 0, 0, null];
  return b > 0 || c === null ? [0, b + 1, 0, null] : [0, 0, c + 1, null];
}

/** Below an end that is not itself part of the range: its own previews are not either. */
const isBelow = (found: Version, end: Version): boolean => compare([found[0], found[1], found[2], null], end) < 0;

function read(version: string): Version | null {
  const match = /^v?(\d+)\.(\d+)\.(\d+)(?:-([\w.-]+))?/.exec(version);
  return match ? [Number(match[1]), Number(match[2]), Number(match[3]), match[4] ?? null] : null;
}

function compare(a: Version, b: Version): number {
  for (const at of [0, 1, 2] as const) if (a[at] !== b[at]) return a[at] - b[at];
  if (a[3] === b[3]) return 0;
  if (a[3] === null) return 1;
  if (b[3] === null) return -1;
  return a[3] < b[3] ? -1 : 1;
}
