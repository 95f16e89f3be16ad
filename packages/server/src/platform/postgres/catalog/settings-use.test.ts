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
    "perform pg_catalog.set_config('request.headers', '{}', true)",
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

describe("B04: changes the session", () => {
  const changes = (source: string): boolean => findSettingsUse([source]).changesSession;

  test.each([
    "select set_config('app.tenant', $1, false)",
    "perform set_config(name, value, is_local)",
    "perform set_config('app.tenant', (select max(id)::text from t), false), set_config('a.b', 'c', true)",
    "begin set search_path = other; end",
    "begin -- all of it\n set time zone 'utc'; end",
    "if x then SET SESSION statement_timeout = 0; end if",
    "execute 'set role ' || quote_ident(r)",
    "execute format('set %I = %L', k, v)",
    "execute pg_catalog.format('set %I = %L', k, v)",
    "execute wanted",
    "begin reset all; end",
  ])("%s", (source) => expect(changes(source)).toBe(true));

  test.each([
    "select set_config('app.tenant', $1, true)",
    "perform set_config('app.tenant', coalesce(x, lower(y)), true);",
    "update t set a = 1 where b",
    "insert into t values (1) on conflict (id) do update set a = excluded.a",
    "begin set local search_path = other; end",
    "set constraints all deferred",
    "begin execute format('select %I', c); end",
    "begin execute pg_catalog.format('alter publication p add table %I', t); end",
    "select current_setting('app.tenant', true)",
    "select 1 -- set a = b",
  ])("not: %s", (source) => expect(changes(source)).toBe(false));
});
