import { readFileSync } from "node:fs";
import { parse } from "smol-toml";
import type { GivenSettings, GroupName } from "./config.ts";
import { SettingError } from "./kernel/settings.ts";

/**
 * What an existing `supabase/config.toml` says that we have a setting for. `env(NAME)` is looked up, as that product's CLI does.
 * https://supabase.com/docs/guides/local-development/cli/config
 */
const known: readonly (readonly [path: string, group: GroupName, name: string])[] = [
  ["api.port", "http", "port"],
  ["api.schemas", "data", "schemas"],
  ["api.extra_search_path", "data", "extraSearchPath"],
  ["api.max_rows", "data", "maxRows"],
  ["auth.jwt_expiry", "auth", "accessTokenSeconds"],
  ["auth.enable_signup", "auth", "isSignupEnabled"],
  ["auth.enable_anonymous_sign_ins", "auth", "isAnonymousEnabled"],
  ["auth.minimum_password_length", "auth", "passwordMinLength"],
];

/** @throws SettingError when the file is not TOML. */
export function readSupabaseConfig(path: string, env: Readonly<Record<string, string | undefined>>): GivenSettings {
  let document: unknown;
  try {
    document = parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new SettingError(
      `${path} is not valid TOML: ${cause instanceof Error ? cause.message.split("\n")[0] : cause}`,
      { cause },
    );
  }
  const given: Partial<Record<GroupName, Record<string, unknown>>> = {};
  for (const [at, group, name] of known) {
    const value = resolve(dig(document, at), env);
    if (value === undefined) continue;
    given[group] ??= {};
    given[group][name] = value;
  }
  return given as GivenSettings;
}

function dig(document: unknown, path: string): unknown {
  let at = document;
  for (const key of path.split(".")) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return at;
}

function resolve(value: unknown, env: Readonly<Record<string, string | undefined>>): unknown {
  const reference = typeof value === "string" ? /^env\((\w+)\)$/.exec(value) : null;
  return reference ? env[reference[1]!] : value;
}
