import { describe, expect, test } from "vitest";
import { findSettingsUse } from "./settings-use.ts";

const reads = (source: string): boolean => findSettingsUse([source]).readsRequest;
const writes = (source: string): boolean => findSettingsUse([source]).writesResponse;

describe("reads the request", () => {
  test.each([
    "select current_setting('request.headers', true)::json ->> 'x-region'",
    "select current_setting('REQUEST.path')",
    "begin perform current_setting(name, true); end",
    "begin execute 'show \"request.headers\"' into h; end",
    "select current_setting('request' || '.headers')",
    "select setting from pg_settings",
    "execute 'select current_setting($1)' using n",
    "show all",
  ])("%s", (source) => expect(reads(source)).toBe(true));

  test.each([
    "select nullif(current_setting('request.jwt.claims', true), '')::jsonb",
    "(current_setting('request.jwt.claim.sub'::text, true))::uuid",
    "select current_setting('app.tenant')",
    "select now()",
  ])("not: %s", (source) => expect(reads(source)).toBe(false));
});

describe("writes the response", () => {
  test.each([
    "perform set_config('response.headers', '[{\"X-A\":\"b\"}]', true)",
    "set local \"response.status\" = '402'",
    "perform set_config(k, v, true)",
    "execute format('set local %I = %L', 'response.' || k, v)",
  ])("%s", (source) => expect(writes(source)).toBe(true));

  test.each(["perform set_config('app.tenant', '7', true)", "select 1"])("not: %s", (source) =>
    expect(writes(source)).toBe(false),
  );
});
