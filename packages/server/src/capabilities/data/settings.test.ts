import { describe, expect, it } from "vitest";
import { readSettings } from "../../kernel/settings.ts";
import { effectiveSettings } from "./effective.ts";
import { locationOf } from "./location.ts";
import { parsePreferences } from "./parse/index.ts";
import { appliedPreferences } from "./preferences.ts";
import { dataSettings } from "./settings.ts";

describe("settings", () => {
  it("are read under the names of PostgREST too", () => {
    const env = {
      PGRST_DB_SCHEMAS: "api, other",
      PGRST_DB_EXTRA_SEARCH_PATH: "extensions",
      PGRST_DB_MAX_ROWS: "50",
      PGRST_DB_PRE_REQUEST: "public.check",
      PGRST_DB_TX_END: "rollback",
      PGRST_DB_PLAN_ENABLED: "true",
      PGRST_DB_AGGREGATES_ENABLED: "true",
      PGRST_DB_ROOT_SPEC: "api.root",
      PGRST_OPENAPI_MODE: "disabled",
      PGRST_OPENAPI_SERVER_PROXY_URI: "https://example.com",
      PGRST_OPENAPI_SECURITY_ACTIVE: "true",
    };
    expect(readSettings(dataSettings, { env }).values).toMatchObject({
      schemas: ["api", "other"],
      extraSearchPath: ["extensions"],
      maxRows: 50,
      preRequest: "public.check",
      txEnd: "rollback",
      planEnabled: true,
      aggregatesEnabled: true,
      rootSpec: "api.root",
      openApiMode: "disabled",
      openApiServerUrl: "https://example.com",
      openApiSecurity: true,
    });
  });

  it("are overridden by the database, which is told when it says nonsense", () => {
    const warnings: string[] = [];
    const settings = readSettings(dataSettings, { env: {} }).values;
    const configuration = new Map([
      ["db_aggregates_enabled", "true"],
      ["db_max_rows", "many"],
      ["db_schemas", "api"],
      ["constructor", "x"],
    ]);
    const effective = effectiveSettings(settings, configuration, (each) => {
      if (each.kind === "warning") warnings.push(each.message);
    });
    expect(effective).toMatchObject({ aggregatesEnabled: true, maxRows: settings.maxRows, schemas: ["api"] });
    expect(warnings).toEqual([expect.stringContaining("pgrst.db_max_rows")]);
  });
});

describe("appliedPreferences", () => {
  const all =
    "timezone=UTC,max-affected=5,tx=commit,handling=strict,count=exact,return=representation,missing=default,resolution=merge-duplicates";
  it.each([
    ["GET", false, "count=exact, handling=strict, timezone=UTC"],
    [
      "POST",
      false,
      "resolution=merge-duplicates, missing=default, return=representation, count=exact, handling=strict, timezone=UTC",
    ],
    [
      "PATCH",
      false,
      "missing=default, return=representation, count=exact, handling=strict, timezone=UTC, max-affected=5",
    ],
    ["DELETE", false, "return=representation, count=exact, handling=strict, timezone=UTC, max-affected=5"],
    ["POST", true, "count=exact, handling=strict, timezone=UTC, max-affected=5"],
  ] as const)("of a %s, call %s: %s", (method, isCall, expected) => {
    const to = { method, isCall, usesResolution: method === "POST" && !isCall, allowsTx: false };
    expect(appliedPreferences(parsePreferences(all), to)).toBe(expected);
  });

  it("names tx only where it is allowed", () => {
    const to = { method: "POST", isCall: true, usesResolution: false, allowsTx: true } as const;
    expect(appliedPreferences(parsePreferences("tx=rollback"), to)).toBe("tx=rollback");
    expect(appliedPreferences(parsePreferences(""), to)).toBe("");
  });
});

describe("locationOf", () => {
  it.each([
    ["", "/t"],
    ["a=1", "/t?a=1"],
    ["b=2&a=1&a=0", "/t?a=1&a=0&b=2"],
    ["select=*&apikey=secret&id=eq.1", "/t?id=eq.1&select=*"],
    ["apikey=secret", "/t"],
  ])("%s is %s", (query, expected) => {
    expect(locationOf("/t", query)).toBe(expected);
  });
});
