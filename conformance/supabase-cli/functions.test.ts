import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { type BootedApp, boot } from "@mainstay/testing";
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
  // One whose body is its author's, with all that the CLI has written around it.
  await writeFile(
    join(dir, "supabase/functions/made-none/index.ts"),
    'import "@supabase/functions-js/edge-runtime.d.ts";\nDeno.serve(async (req) => Response.json(await req.json()));\n',
  );
  app = await boot({ projectDir: dir });
});
afterAll(async () => {
  await app?.stop();
  await rm(dir, { recursive: true, force: true });
});

describe("supabase functions new", () => {
  it("makes functions that are found, with what config.toml says of them", async () => {
    expect(await readFile(join(dir, "supabase/config.toml"), "utf8")).toContain(
      "[functions.made-none]\nenabled = true",
    );
    const answer = await fetch(`${app.url}/functions/v1/made-none`, { method: "POST", body: '{"name":"Ada"}' });
    expect([answer.status, await answer.json()]).toEqual([200, { name: "Ada" }]);
  });

  it("needs a package for what it writes itself, which is named with its file and line", async () => {
    for (const mode of ["apikey", "user"]) {
      const refused = await fetch(`${app.url}/functions/v1/made-${mode}`, {
        method: "POST",
        headers: { apikey: app.publishableKey },
      });
      const file = `supabase/functions/made-${mode}/index.ts`;
      const lines = (await readFile(join(dir, file), "utf8")).split("\n");
      const said = app.observations.filter(
        (one) => one.kind === "functions.diagnostic" && one.functionName === `made-${mode}` && one.severity === "error",
      );
      expect(said).toMatchObject([
        {
          file,
          line: lines.findIndex((line) => line.includes('from "@supabase/server"')) + 1,
          message: expect.stringContaining("@supabase/server"),
          hint: expect.stringMatching(/npm install ["']?@supabase\/server@/),
        },
      ]);
      expect([refused.status, refused.headers.get("x-relay-error")]).toEqual([503, "true"]);
    }
  });
});
