import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "@mainstay/server";
import { withProjectDatabase } from "../commands/project-database.ts";
import { type Check, type DoctorContext, type Finding, fail, ok, warn } from "./finding.ts";

/** A hook has five seconds for its answer; one that is not there by then fails every sign-in that asks it. */
const timeoutMs = 5_000;

/** Each hook that is on answers at its address, or is a function of the database. */
export const checkHooks: Check = async (context) => {
  if (context.config === null) return [];
  const uris = hookUris(context.config);
  const functions = [...uris].filter(([, uri]) => uri.protocol === "pg-functions:");
  const found = await Promise.all(
    [...uris].filter(([, uri]) => /^https?:$/.test(uri.protocol)).map(([name, uri]) => reach(name, uri)),
  );
  return functions.length === 0 ? found : [...found, ...(await lookUp(context, functions))];
};

/** Those that are on and can be read; the others are refused by the settings' own check. */
function hookUris({ auth }: Config): ReadonlyMap<string, URL> {
  const settings = auth as unknown as Readonly<Record<string, unknown>>;
  const names = Object.keys(settings).flatMap((key) => /^(\w+)HookUri$/.exec(key)?.[1] ?? []);
  return new Map(
    names.flatMap((name): [string, URL][] => {
      const uri = settings[`${name}HookUri`];
      const isOn = settings[`${name}HookEnabled`] === true && typeof uri === "string" && URL.canParse(uri);
      return isOn ? [[name, new URL(uri)]] : [];
    }),
  );
}

/** Any answer will do but a redirect: what is asked is not signed, and hooks are right to refuse it. */
async function reach(name: string, uri: URL): Promise<Finding> {
  try {
    const { status } = await fetch(uri, { method: "HEAD", redirect: "manual", signal: AbortSignal.timeout(timeoutMs) });
    if (status < 300 || status >= 400) return ok("hooks", `${name}: ${uri.host} answers`);
    return fail(
      "hooks",
      `${name}: ${uri.origin}${uri.pathname} answers with a redirect, which is not followed`,
      "Name the address it leads to.",
    );
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const reason = cause instanceof Error ? cause.message : String(cause);
    return fail(
      "hooks",
      `${name}: ${uri.host} cannot be reached: ${reason}`,
      "What the hook decides fails until it answers.",
    );
  }
}

/** A doctor makes no database: before the first start there is nothing to look at. */
async function lookUp(
  { cli, config, projectDir }: DoctorContext,
  functions: readonly (readonly [name: string, uri: URL])[],
): Promise<readonly Finding[]> {
  const isMade = config?.postgres.databaseUrl || existsSync(join(config?.project.dataDir ?? "", "postgres", "data"));
  if (!isMade) return functions.map(([name]) => ok("hooks", `${name}: looked for once there is a database`));
  return await withProjectDatabase(cli, projectDir, async ({ database }) => {
    const client = await database.connect();
    try {
      return await Promise.all(
        functions.map(async ([name, uri]) => {
          const [schema = "", called = ""] = uri.pathname.slice(1).split("/").map(decodeURIComponent);
          const { rows } = await client.query<{ exists: boolean }>(
            `select exists (
              select from pg_proc p join pg_namespace n on n.oid = p.pronamespace
              where n.nspname = $1 and p.proname = $2 and p.pronargs = 1
            ) as exists`,
            [schema, called],
          );
          if (rows[0]?.exists) return ok("hooks", `${name}: ${schema}.${called}`);
          return warn("hooks", `${name}: there is no function ${schema}.${called}(jsonb)`, "Add it in a migration.");
        }),
      );
    } finally {
      await client.end();
    }
  });
}
