import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { loadConfig } from "./config.ts";
import { readSupabaseConfig } from "./supabase-config.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "supabase-config-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function read(toml: string, env: Readonly<Record<string, string>> = {}) {
  const path = join(dir, "config.toml");
  writeFileSync(path, toml);
  return readSupabaseConfig(path, env);
}

it("gives each key it knows to a setting", () => {
  const toml = `
[api]
port = 4000
schemas = ["public", "api"]
max_rows = 50
[auth]
site_url = "https://app.example.com"
additional_redirect_urls = ["myapp://login-callback"]
jwt_expiry = 600
enable_signup = false
enable_anonymous_sign_ins = true
minimum_password_length = 12
[studio]
port = 9
`;
  expect(read(toml)).toEqual({
    http: { port: 4000 },
    data: { schemas: ["public", "api"], maxRows: 50 },
    auth: {
      siteUrl: "https://app.example.com",
      redirectAllowList: ["myapp://login-callback"],
      accessTokenSeconds: 600,
      disableSignup: true,
      anonymousEnabled: true,
      passwordMinLength: 12,
    },
  });
});

it("looks env(NAME) up, and leaves out what is not set", () => {
  const toml = `[api]\nport = "env(API_PORT)"\nmax_rows = "env(NOWHERE)"\n`;
  expect(read(toml, { API_PORT: "4001" })).toEqual({ http: { port: "4001" } });
  expect(read(`[auth]\nenable_signup = "env(OPEN)"\n`, { OPEN: "false" })).toEqual({ auth: { disableSignup: true } });
});

it("closes sign-up where the project closed it", async () => {
  mkdirSync(join(dir, "supabase"));
  writeFileSync(join(dir, "supabase/config.toml"), "[auth]\nenable_signup = false\n");
  const { auth, origins } = await loadConfig({ projectDir: dir, env: {} });
  expect(auth.disableSignup).toBe(true);
  expect(origins.auth.disableSignup).toBe("supabase/config.toml");
});

it("says which file is not TOML", () => {
  expect(() => read("[api")).toThrow(/config\.toml is not valid TOML/);
});

it("takes over the hooks of a project, their secrets from the environment", () => {
  const toml = `
[auth.hook.custom_access_token]
enabled = true
uri = "pg-functions://postgres/public/custom_access_token_hook"
[auth.hook.send_sms]
enabled = true
uri = "https://hooks.example/sms"
secrets = "env(SEND_SMS_SECRETS)"
`;
  expect(read(toml, { SEND_SMS_SECRETS: "v1,whsec_abc|v1,whsec_def" })).toEqual({
    auth: {
      customAccessTokenHookEnabled: true,
      customAccessTokenHookUri: "pg-functions://postgres/public/custom_access_token_hook",
      sendSmsHookEnabled: true,
      sendSmsHookUri: "https://hooks.example/sms",
      sendSmsHookSecrets: "v1,whsec_abc|v1,whsec_def",
    },
  });
});
