import { randomBytes } from "node:crypto";
import { chmod, mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Settings } from "@mainstay/server";
import { settingGroups } from "@mainstay/server/config";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { mainstay, temporaryFolder } from "../testing.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;

beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => {
  vi.unstubAllEnvs();
  return folder.remove();
});

const run = (args: readonly string[], env?: Readonly<Record<string, string>>) =>
  mainstay(args, { cwd: folder.path, ...(env ? { env } : {}) });

describe("mainstay keys", () => {
  it("makes the keys once, keeps them private, and prints them for scripts", async () => {
    const first = JSON.parse((await run(["keys", "show", "--json"])).out);
    expect(first).toEqual({
      url: "http://127.0.0.1:54321",
      anonKey: expect.stringMatching(/^ey/),
      serviceRoleKey: expect.stringMatching(/^ey/),
      publishableKey: expect.stringMatching(/^sb_publishable_/),
      secretKey: expect.stringMatching(/^sb_secret_/),
      s3Endpoint: "http://127.0.0.1:54321/storage/v1/s3",
      jwtSecret: expect.any(String),
    });
    expect(JSON.parse((await run(["keys", "show", "--json"], { PORT: "8000" })).out)).toEqual({
      ...first,
      url: "http://127.0.0.1:8000",
      s3Endpoint: "http://127.0.0.1:8000/storage/v1/s3",
    });
    expect((await stat(join(folder.path, ".mainstay/keys/keys.json"))).mode & 0o777).toBe(0o600);
  });

  it("replaces the API keys only when that is said", async () => {
    const before = JSON.parse((await run(["keys", "show", "--json"])).out);
    expect(await run(["keys", "rotate"])).toMatchObject({ code: 0 });
    expect(JSON.parse((await run(["keys", "show", "--json"])).out).publishableKey).toBe(before.publishableKey);
    expect(await run(["keys", "rotate", "--api-keys"])).toMatchObject({
      code: 1,
      err: expect.stringContaining("--yes"),
    });
    expect(JSON.parse((await run(["keys", "show", "--json"])).out).publishableKey).toBe(before.publishableKey);
    expect(await run(["keys", "rotate", "--api-keys", "--yes"])).toMatchObject({ code: 0 });
    expect(JSON.parse((await run(["keys", "show", "--json"])).out).publishableKey).not.toBe(before.publishableKey);
  });

  it("does not rotate a secret that the settings give, and says where to change it", async () => {
    const { code, out, err } = await run(["keys", "rotate"], { JWT_SECRET: randomBytes(32).toString("base64") });
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toMatch(/JWT secret given by the settings\.\n.*MAINSTAY_JWT_ALGORITHM=ES256/);
    expect(err).not.toContain("bug");
  });
});

describe("mainstay config show", () => {
  it("says where each value comes from, and shows no secret (threat A28)", async () => {
    await writeFile(join(folder.path, "mainstay.config.ts"), "export default { http: { port: 4001 } };");
    await writeFile(
      join(folder.path, ".env"),
      "MAINSTAY_HOST=127.0.0.2\nJWT_SECRET=Zq81-a-very-long-and-random-looking-value-0193",
    );
    const shown = JSON.parse((await run(["config", "show", "--json", "--changed"])).out);
    expect(shown).toHaveLength(3);
    expect(shown).toContainEqual(
      expect.objectContaining({ name: "port", value: 4001, unit: "port", origin: "mainstay.config.ts" }),
    );
    expect(shown).toContainEqual(expect.objectContaining({ name: "host", value: "127.0.0.2" }));
    expect(shown).toContainEqual(expect.objectContaining({ name: "jwtSecret", value: "(secret)" }));
    expect((await run(["config", "show"])).out).not.toContain("Zq81");
  });

  it("is tried without the variables of whoever runs the tests", async () => {
    const names = ["SITE_URL", "LOG_LEVEL", "SMTP_HOST", "JWT_EXP", "DATABASE_URL"];
    for (const name of names) vi.stubEnv(name, "http://not.for.us");
    expect(JSON.parse((await run(["config", "show", "--json", "--changed"])).out)).toEqual([]);
  });

  it("shows none of all the secrets there are (threat A28)", async () => {
    const secrets = Object.values(settingGroups).flatMap((group) =>
      Object.values(group as Settings).filter(({ isSecret }) => isSecret),
    );
    const env = Object.fromEntries(
      secrets.map(({ env: [name = ""], type }, at) => [
        name,
        type === "object" ? `{"custom:a": {"secret": "hidden-${at}"}}` : `hidden-${at}`,
      ]),
    );
    expect(secrets.length).toBeGreaterThan(40);
    for (const args of [
      ["config", "show"],
      ["config", "show", "--json"],
    ]) {
      const { code, out, err } = await run(args, env);
      expect(code).toBe(0);
      expect(out.match(/\(secret\)/g)).toHaveLength(secrets.length);
      expect(out + err).not.toContain("hidden-");
    }
  });

  it("ends with 3 and one line when a setting cannot be used; the stack only with --debug", async () => {
    const bad = await run(["config", "show"], { MAINSTAY_PORT: "many" });
    expect(bad).toMatchObject({ code: 3, out: "" });
    expect(bad.err).toBe('✗ MAINSTAY_PORT must be a whole number from 0 to 65535, not "many".\n');
    expect((await run(["config", "show", "--debug"], { MAINSTAY_PORT: "many" })).err).toContain("at parseSetting");
    await writeFile(join(folder.path, "mainstay.config.ts"), "export default { http: { prot: 1 } };");
    expect(await run(["start"])).toMatchObject({ code: 3, err: expect.stringContaining('no setting "prot"') });
  });
});

describe("mainstay doctor", () => {
  const examine = async (env?: Readonly<Record<string, string>>) => {
    const { code, out } = await run(["doctor", "--json"], env);
    const findings = JSON.parse(out) as { name: string; state: string; found: string; remedy: string | null }[];
    return { code, findings, of: (name: string) => findings.filter((finding) => finding.name === name) };
  };

  it("checks a fresh project, makes nothing, and ends with 0", async () => {
    await run(["init"]);
    const { code, findings, of } = await examine();
    expect(code).toBe(0);
    expect(findings.filter(({ state }) => state === "fail")).toEqual([]);
    expect(findings.every(({ state, remedy }) => (state === "ok") === (remedy === null))).toBe(true);
    expect(of("node")[0]?.found).toContain(process.versions.node);
    await expect(stat(join(folder.path, ".mainstay"))).rejects.toThrow("ENOENT");
  });

  it("goes on when the configuration cannot be read, and ends with 1", async () => {
    await writeFile(join(folder.path, "mainstay.config.ts"), "export default {{;");
    const { code, of } = await examine();
    expect(code).toBe(1);
    expect(of("config")[0]).toMatchObject({ state: "fail", found: expect.stringContaining("could not be read") });
    expect(of("node")).toHaveLength(1);
  });

  it("finds weak secrets (threat A29), open permissions, and another database's data", async () => {
    await mkdir(join(folder.path, ".mainstay/keys"), { recursive: true });
    await run(["keys", "show"]);
    await chmod(join(folder.path, ".mainstay"), 0o755);
    await chmod(join(folder.path, ".mainstay/keys/keys.json"), 0o644);
    await mkdir(join(folder.path, ".mainstay/postgres/data"), { recursive: true });
    await writeFile(join(folder.path, ".mainstay/postgres/data/PG_VERSION"), "9\n");
    const { code, of } = await examine({ JWT_SECRET: "super-secret-jwt-token-with-at-least-32-characters-long" });
    expect(code).toBe(1);
    expect(of("folder").map(({ state }) => state)).toContain("warn");
    expect(
      of("secrets")
        .map(({ found }) => found)
        .join(),
    ).toMatch(/can be read by other users.*published example/);
    expect(of("data")[0]).toMatchObject({ state: "fail", found: expect.stringContaining("written by PostgreSQL 9") });
  });

  it("finds a secret file in git", async () => {
    const { execFileSync } = await import("node:child_process");
    await writeFile(join(folder.path, ".env"), "A=1");
    execFileSync("git", ["init", "-q"], { cwd: folder.path });
    expect((await examine()).of("git")[0]?.state).toBe("ok");
    execFileSync("git", ["add", ".env"], { cwd: folder.path });
    expect((await examine()).of("git")[0]).toMatchObject({
      state: "fail",
      found: expect.stringContaining(".env is in git"),
    });
  });

  it("names who has the port, and what supabase/config.toml sets", async () => {
    const { createServer } = await import("node:net");
    const holder = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => holder.once("listening", resolve));
    const { port } = holder.address() as { port: number };
    await mkdir(join(folder.path, "supabase/migrations"), { recursive: true });
    await writeFile(join(folder.path, "supabase/config.toml"), `[api]\nport = ${port}\nmax_rows = 50\n`);
    const { of } = await examine();
    expect(of("port")[0]).toMatchObject({ state: "warn", found: expect.stringContaining(String(port)) });
    if (process.platform === "linux") expect(of("port")[0]?.found).toContain(`process ${process.pid}`);
    expect(of("supabase-config")[0]?.found).toMatch(/http\.port.*data\.maxRows/);
    holder.close();
  });
});
