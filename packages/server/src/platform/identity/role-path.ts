/** Where in a token its role is: names and positions, outermost first. */
export type RolePath = readonly (string | number)[];

/** A step: `.name`, `."any text"` or `[0]`, as PostgREST's `jwt-role-claim-key` has them. */
const step = /\.([A-Za-z0-9_$@-]+)|\."((?:[^"\\]|\\.)*)"|\[(\d{1,6})\]/y;

/** Reads `.app.roles[0]`. @throws Error naming the text and where it stops being a path. */
export function parseRolePath(text: string): RolePath {
  const path: (string | number)[] = [];
  const source = /^[.[]/.test(text) ? text : `.${text}`;
  step.lastIndex = 0;
  while (step.lastIndex < source.length) {
    const at = step.lastIndex;
    const found = step.exec(source);
    if (found === null)
      throw new Error(`"${text}" is not a path to a claim: it stops making sense at character ${at}.`);
    path.push(found[1] ?? (found[3] === undefined ? (JSON.parse(`"${found[2]}"`) as string) : Number(found[3])));
  }
  if (path.length === 0) throw new Error("The path to the role claim is empty.");
  return path;
}

/** What is at `path`; `undefined` when nothing is. Looks at own members only. */
export function claimAt(claims: Readonly<Record<string, unknown>>, path: RolePath): unknown {
  let value: unknown = claims;
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}
