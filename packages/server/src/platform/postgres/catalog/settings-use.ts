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
}

/** Looks through function bodies, policies, views, defaults and constraints, as source text. */
export function findSettingsUse(sources: readonly string[]): SettingsUse {
  return { readsRequest: sources.some(mayReadRequest), writesResponse: sources.some(mayWriteResponse) };
}

function mayReadRequest(source: string): boolean {
  if (/request\.(?!jwt\.)/i.test(source) || /pg_settings|pg_show_all_settings/i.test(source)) return true;
  // By literal it is one we have looked for above; by anything else it may be any.
  return hasOpenCall(source, /\bcurrent_setting\b/gi) || /\bshow\s+all\b/i.test(source);
}

function mayWriteResponse(source: string): boolean {
  return /response\./i.test(source) || hasOpenCall(source, /\bset_config\b/gi);
}

/** True when the function is mentioned other than called with a literal as its first argument. */
function hasOpenCall(source: string, name: RegExp): boolean {
  for (const { index, 0: word } of source.matchAll(name)) {
    if (!/^\s*\(\s*'[^']*'\s*(::\s*text\s*)?[,)]/i.test(source.slice(index + word.length))) return true;
  }
  return false;
}
