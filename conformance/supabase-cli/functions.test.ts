import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { type BootedApp, boot } from "@mainstay/testing";
import { createClient } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const run = promisify(execFile);
const { resolve } = createRequire(import.meta.url);
const supabaseBin = join(dirname(resolve("supabase/package.json")), "..", ".bin", "supabase");
const modes = ["none", "apikey", "user"] as const;

let app: BootedApp;
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "mainstay-supabase-functions-"));
  await mkdir(join(dir, "supabase"));
  await writeFile(join(dir, "supabase", "config.toml"), 'project_id = "conformance"\n');
  const env = { ...process.env, HOME: dir, SUPABASE_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1", NO_COLOR: "1" };
  for (const mode of modes) {
    const args = ["functions", "new", `made-${mode}`, "--auth", mode, "--workdir", dir, "--yes"];
    await run(supabaseBin, args, { env, cwd: dir });
  }
  app = await boot({ projectDir: dir });
});
afterAll(async () => {
  await app?.stop();
  await rm(dir, { recursive: true, force: true });
});

const ask = (name: string, headers: Readonly<Record<string, string>>) =>
  fetch(`${app.url}/functions/v1/${name}`, { method: "POST", headers, body: '{"name":"Ada"}' });

describe("supabase functions new", () => {
  it("makes functions that run as they are, each for whom it says", async () => {
    expect(await readFile(join(dir, "supabase/config.toml"), "utf8")).toContain(
      "[functions.made-none]\nenabled = true",
    );
    const anybody = await ask("made-none", {});
    expect([anybody.status, await anybody.json()]).toEqual([200, { message: "Hello Ada!" }]);
    for (const apikey of [app.publishableKey, app.secretKey]) {
      const keyed = await ask("made-apikey", { apikey });
      expect([keyed.status, await keyed.json()]).toEqual([200, { message: "Hello Ada!" }]);
    }
    expect((await ask("made-apikey", {})).status).toBe(401);
  });

  it("lets in whoever is signed in, and nobody else, where it asks for a user", async () => {
    const client = createClient(app.url, app.publishableKey, { auth: { persistSession: false } });
    const { data } = await client.auth.signUp({ email: "ada@example.com", password: "correct horse 8" });
    const { data: greeting, error } = await client.functions.invoke("made-user");
    expect([greeting, error]).toEqual([{ message: "Hello ada@example.com!" }, null]);
    const token = data.session!.access_token;
    expect((await ask("made-user", { apikey: app.publishableKey })).status).toBe(401);
    expect((await ask("made-user", { apikey: app.publishableKey, authorization: `Bearer ${token}x` })).status).toBe(
      401,
    );
  });
});
