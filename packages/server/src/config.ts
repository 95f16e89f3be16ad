import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseEnv } from "node:util";
import { authSettings } from "./capabilities/auth/settings.ts";
import { queryLimitSettings } from "./capabilities/data/parse/settings.ts";
import { dataSettings } from "./capabilities/data/settings.ts";
import { functionsSettings } from "./capabilities/functions/settings.ts";
import { realtimeSettings } from "./capabilities/realtime/settings.ts";
import type { DeclaredBucket } from "./capabilities/storage/declared/types.ts";
import { storageSettings } from "./capabilities/storage/settings.ts";
import { webhooksSettings } from "./capabilities/webhooks/settings.ts";
import { readSettings, SettingError, type Settings, type Values } from "./kernel/settings.ts";
import { changesSettings } from "./platform/changes/settings.ts";
import { httpSettings } from "./platform/http/settings.ts";
import { identitySettings } from "./platform/identity/settings.ts";
import { jobsSettings } from "./platform/jobs/settings.ts";
import { nodesSettings } from "./platform/nodes/settings.ts";
import { observeSettings } from "./platform/observe/settings.ts";
import { outboxSettings } from "./platform/outbox/settings.ts";
import { policiesSettings } from "./platform/policies/settings.ts";
import { catalogSettings } from "./platform/postgres/catalog/settings.ts";
import { embeddedPostgresSettings } from "./platform/postgres/embedded/settings.ts";
import { migrateSettings } from "./platform/postgres/migrate/settings.ts";
import { postgresSettings } from "./platform/postgres/settings.ts";
import { findProject, type Project } from "./project.ts";

export { localUrl } from "./kernel/local-url.ts";

/** Every setting there is, by the part it belongs to. `--help`, the environment and the reference docs derive from it. */
export const settingGroups = {
  http: httpSettings,
  postgres: postgresSettings,
  embedded: embeddedPostgresSettings,
  migrations: migrateSettings,
  catalog: catalogSettings,
  identity: identitySettings,
  auth: authSettings,
  outbox: outboxSettings,
  data: dataSettings,
  queries: queryLimitSettings,
  changes: changesSettings,
  nodes: nodesSettings,
  policies: policiesSettings,
  realtime: realtimeSettings,
  storage: storageSettings,
  jobs: jobsSettings,
  functions: functionsSettings,
  webhooks: webhooksSettings,
  observe: observeSettings,
} satisfies Readonly<Record<string, Settings>>;

export type SettingGroups = typeof settingGroups;
export type GroupName = keyof SettingGroups;

/** Values by group: what flags and `mainstay.config.ts` give. */
export type GivenSettings = { readonly [G in GroupName]?: { readonly [K in keyof SettingGroups[G]]?: unknown } };

/** What a project's `mainstay.config.ts` exports by default. */
export type ProjectConfig = { readonly [G in GroupName]?: Partial<Values<SettingGroups[G]>> };

export type Config = { readonly [G in GroupName]: Values<SettingGroups[G]> } & {
  readonly project: Project;
  /** That `supabase/config.toml` names: made at start. */
  readonly buckets: readonly DeclaredBucket[];
  /** Variables that the setting `functionsSecrets` names, as they are in the environment. */
  readonly functionSecrets: Readonly<Record<string, string>>;
  /** Where each value came from: a flag, a variable, a file, `default`. */
  readonly origins: Readonly<Record<GroupName, Readonly<Record<string, string>>>>;
};

/** Gives a `mainstay.config.ts` its types. */
export const defineConfig = (config: ProjectConfig): ProjectConfig => config;

/**
 * Reads a project's configuration. Order of truth: flags, environment, `.env.local`, `.env`, `mainstay.config.ts`,
 * `supabase/config.toml`, defaults. The only place that looks at the environment.
 * @throws SettingError naming the source of a value that cannot be used.
 */
export async function loadConfig(options: {
  readonly projectDir: string;
  readonly flags?: GivenSettings;
  readonly env?: Readonly<Record<string, string | undefined>>;
}): Promise<Config> {
  const project = findProject(options.projectDir);
  const env = { ...envFile(project, ".env"), ...envFile(project, ".env.local"), ...(options.env ?? process.env) };
  const file = await configFile(project);
  const { given: toml, buckets } = await supabaseConfig(project, env);
  const values: Record<string, unknown> = {};
  const origins: Record<string, Readonly<Record<string, string>>> = {};
  for (const [group, settings] of Object.entries(settingGroups) as [GroupName, Settings][]) {
    const read = readSettings(settings, {
      flags: options.flags?.[group] ?? {},
      env,
      file: { ...toml[group], ...file[group] },
      readFile: (path) => readFileSync(path, "utf8"),
    });
    values[group] = read.values;
    origins[group] = Object.fromEntries(
      Object.entries(read.origins).map(([name, origin]) => [
        name,
        // Both files come in as one: what only the older one says is from there.
        origin === "mainstay.config.ts" && !Object.hasOwn(file[group] ?? {}, name) ? "supabase/config.toml" : origin,
      ]),
    );
  }
  const named = (values.functions as Values<typeof functionsSettings>).functionsSecrets;
  const functionSecrets = Object.fromEntries(
    named.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])),
  );
  return { ...values, project, buckets, functionSecrets, origins } as unknown as Config;
}

async function supabaseConfig(
  { supabaseConfigFile: path }: Project,
  env: Readonly<Record<string, string | undefined>>,
): Promise<{ readonly given: GivenSettings; readonly buckets: readonly DeclaredBucket[] }> {
  if (path === null) return { given: {}, buckets: [] };
  const { readSupabaseBuckets, readSupabaseConfig } = await import("./supabase-config.ts");
  return { given: readSupabaseConfig(path, env), buckets: readSupabaseBuckets(path, env) };
}

function envFile(project: Project, name: string): Record<string, string | undefined> {
  const path = join(project.dir, name);
  return existsSync(path) ? parseEnv(readFileSync(path, "utf8")) : {};
}

async function configFile(project: Project): Promise<GivenSettings> {
  if (project.configFile === null) return {};
  let given: unknown;
  try {
    given = ((await import(pathToFileURL(project.configFile).href)) as { default?: unknown }).default;
  } catch (cause) {
    throw new SettingError(
      `${project.configFile} could not be read: ${cause instanceof Error ? cause.message : cause}`,
      { cause },
    );
  }
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new SettingError(`${project.configFile} must export an object by default.`);
  }
  for (const [group, values] of Object.entries(given)) {
    const known = settingGroups[group as GroupName] as Settings | undefined;
    if (!known)
      throw new SettingError(
        `${project.configFile}: there is no group "${group}". There are ${Object.keys(settingGroups).join(", ")}.`,
      );
    const stray = Object.keys((values as object) ?? {}).find((name) => !(name in known));
    if (stray)
      throw new SettingError(
        `${project.configFile}: "${group}" has no setting "${stray}". It has ${Object.keys(known).join(", ")}.`,
      );
  }
  return given;
}
