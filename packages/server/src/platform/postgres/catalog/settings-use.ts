/**
 * Whether the database's own code asks about the request, or says something about the response. A request whose method, path,
 * headers and cookies nobody can read need not carry them into its transaction: that is a tenth of its cost. Errs on the side
 * of carrying: whatever names a setting other than by a literal counts as asking.
 */
export interface SettingsUse {
  /** Something may read `request.method`, `request.path`, `request.headers` or `request.cookies`. */
  readonly readsRequest: boolean;
  /** Something may set `response.status` or `response.headers`. */
  readonly writesResponse: boolean;
  /** Something may change a setting for longer than its transaction: whoever comes next on the connection would find it. */
  readonly changesSession: boolean;
}

/** Looks through function bodies, policies, views, defaults and constraints, as source text. */
export function findSettingsUse(sources: readonly string[]): SettingsUse {
  return {
    readsRequest: sources.some(mayReadRequest),
    writesResponse: sources.some(mayWriteResponse),
    changesSession: sources.some(mayChangeSession),
  };
}

function mayReadRequest(text: string): boolean {
  // What only says something about the request does not ask.
  const source = text.replace(/\bset_config\s*\(\s*'request\.[^']*'/gi, "");
  if (/request\.(?!jwt\.)/i.test(source) || /pg_settings|pg_show_all_settings/i.test(source)) return true;
  // By literal it is one we have looked for above; by anything else it may be any.
  return hasOpenCall(source, /\bcurrent_setting\b/gi) || /\bshow\s+all\b/i.test(source);
}

function mayWriteResponse(source: string): boolean {
  return /response\./i.test(source) || hasOpenCall(source, /\bset_config\b/gi);
}

/** `set_config` is harmless with a literal `true` for "local"; `set` with `local`, or as a part of `update`, which begins no statement. */
function mayChangeSession(source: string): boolean {
  const code = source.replace(/--[^\n]*|\/\*[\s\S]*?\*\//g, " ");
  if (
    /(?:^|[;'"$(]|\b(?:begin|then|else|loop)\b)\s*(?:set\s+(?!local\b|transaction\b|constraints\b)|reset\s)/i.test(code)
  )
    return true;
  // A statement put together elsewhere may be any.
  if (/\bexecute\s+(?!['"]|(?:pg_catalog\.)?format\s*\(\s*')/i.test(code)) return true;
  for (const { index } of code.matchAll(/\bset_config\b/gi)) {
    if (lastArgument(code, index + "set_config".length)?.toLowerCase() !== "true") return true;
  }
  return false;
}

/** The last argument of the call whose parentheses open behind `from`; `null` when there is none, or it does not end. */
function lastArgument(code: string, from: number): string | null {
  const open = /^\s*\(/.exec(code.slice(from));
  if (open === null) return null;
  let start = from + open[0].length;
  let depth = 1;
  for (let at = start; at < code.length; at++) {
    const character = code[at];
    if (character === "'") at = Math.max(at, code.indexOf("'", at + 1));
    else if (character === "(") depth++;
    else if (character === ")" && --depth === 0) return code.slice(start, at).trim();
    else if (character === "," && depth === 1) start = at + 1;
  }
  return null;
}

/** True when the function is mentioned other than called with a literal as its first argument. */
function hasOpenCall(source: string, name: RegExp): boolean {
  for (const { index, 0: word } of source.matchAll(name)) {
    if (!/^\s*\(\s*'[^']*'\s*(::\s*text\s*)?[,)]/i.test(source.slice(index + word.length))) return true;
  }
  return false;
}
