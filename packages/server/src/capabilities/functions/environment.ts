import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import type { ApiKeys, TokenSigner } from "../../platform/identity/types.ts";

/** What functions see of their surroundings: what the project gives them, and where and with which keys the project is to be reached. Nothing else. */
export function environmentOf(needs: {
  readonly secrets: Readonly<Record<string, string>>;
  readonly projectUrl: string;
  readonly keys: ApiKeys;
  /** Public keys that tokens of users are verified with. */
  readonly jwks: ReturnType<TokenSigner["jwks"]>;
  readonly databaseUrl: string | null;
}): Readonly<Record<string, string>> {
  const { secrets, projectUrl, keys, jwks, databaseUrl } = needs;
  return {
    ...secrets,
    SUPABASE_URL: projectUrl,
    SUPABASE_ANON_KEY: keys.anonKey,
    SUPABASE_SERVICE_ROLE_KEY: keys.serviceRoleKey,
    // By name, as that product has several of each.
    SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: keys.publishableKey }),
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: keys.secretKey }),
    SUPABASE_JWKS: JSON.stringify(jwks),
    ...(databaseUrl === null ? {} : { SUPABASE_DB_URL: databaseUrl }),
  };
}

/** `functions/.env`, read when it is asked for: `dev` notices when it changes. `given`: named in a setting, from the server's own environment. */
export function secretsOf(
  functionsDir: string | null,
  given: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const file = functionsDir === null ? null : join(functionsDir, ".env");
  const read = file !== null && existsSync(file) ? parseEnv(readFileSync(file, "utf8")) : {};
  const secrets: Record<string, string> = { ...given };
  for (const [name, value] of Object.entries(read)) if (value !== undefined) secrets[name] = value;
  return secrets;
}
