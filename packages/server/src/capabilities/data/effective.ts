import type { Values } from "../../kernel/settings.ts";
import { parseSetting, SettingError } from "../../kernel/settings.ts";
import type { Observe } from "../../platform/observe/observation.ts";
import { dataSettings } from "./settings.ts";

export type DataSettings = Values<typeof dataSettings>;

/**
 * Settings that may also stand in the database, as `alter role authenticator set pgrst.<name> = …` (PostgREST docs,
 * Configuration).
 */
const byConfigurationName: Readonly<Record<string, keyof DataSettings>> = {
  db_schemas: "schemas",
  db_extra_search_path: "extraSearchPath",
  db_max_rows: "maxRows",
  db_pre_request: "preRequest",
  db_tx_end: "txEnd",
  db_plan_enabled: "planEnabled",
  db_aggregates_enabled: "aggregatesEnabled",
  db_root_spec: "rootSpec",
  openapi_mode: "openApiMode",
  openapi_server_proxy_uri: "openApiServerUrl",
  openapi_security_active: "openApiSecurity",
};

/** The settings as the database overrides them. A value that cannot be read is reported and left out. */
export function effectiveSettings<S extends DataSettings>(
  settings: S,
  configuration: ReadonlyMap<string, string>,
  observe: Observe,
): S {
  const overrides: Partial<Record<keyof DataSettings, unknown>> = {};
  for (const [name, raw] of configuration) {
    const key = Object.hasOwn(byConfigurationName, name) ? byConfigurationName[name] : undefined;
    if (key === undefined) continue;
    try {
      overrides[key] = parseSetting(dataSettings[key], raw, `pgrst.${name}`);
    } catch (error) {
      if (!(error instanceof SettingError)) throw error;
      observe({ kind: "warning", area: "data", message: error.message });
    }
  }
  return { ...settings, ...overrides };
}
