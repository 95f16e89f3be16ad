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
const mainstayBin = join(dirname(resolve("@mainstay/cli/package.json")), "bin", "mainstay.mjs");
const supabaseBin = join(dirname(resolve("supabase/package.json")), "..", ".bin", "supabase");

let app: BootedApp;
let dir: string;
beforeAll(async () => {
  app = await boot();
  dir = await mkdtemp(join(tmpdir(), "mainstay-supabase-storage-"));
  await mkdir(join(dir, "supabase"));
  // The CLI takes it for the stack that it would have started itself.
  await writeFile(
    join(dir, "supabase", "config.toml"),
    `project_id = "conformance"\n[api]\nport = ${new URL(app.url).port}\n[auth]\nservice_role_key = "${app.serviceRoleKey}"\n`,
  );
  await app.sql("insert into storage.buckets (id, name) values ('files', 'files')");
});
afterAll(async () => {
  await app?.stop();
  await rm(dir, { recursive: true, force: true });
});

async function storage(...args: readonly string[]): Promise<string> {
  const env = { ...process.env, HOME: dir, SUPABASE_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1", NO_COLOR: "1" };
  const all = ["storage", ...args, "--experimental", "--workdir", dir, "--yes"];
  const { stdout } = await run(supabaseBin, all, { env, cwd: dir });
  return stdout;
}

describe("supabase storage", () => {
  it("copies files in and out, lists, moves and removes them", async () => {
    await writeFile(join(dir, "a.txt"), "by the CLI");
    await storage("cp", "a.txt", "ss:///files/dir/a.txt");
    expect(await storage("ls", "ss:///files/dir/")).toContain("a.txt");
    await storage("cp", "ss:///files/dir/a.txt", "back.txt");
    expect(await readFile(join(dir, "back.txt"), "utf8")).toBe("by the CLI");
    await storage("mv", "ss:///files/dir/a.txt", "ss:///files/b.txt");
    expect(await storage("ls", "ss:///files/", "--recursive")).toContain("b.txt");
    await storage("rm", "ss:///files/b.txt");
    expect(await app.sql("select name from storage.objects")).toEqual([]);
  });
});

describe("generated types", () => {
  it("are of the app's tables: files are not among them", async () => {
    await app.sql("create table public.albums (id int primary key, cover text)");
    const env = { ...process.env, HOME: dir, DATABASE_URL: app.databaseUrl, SUPABASE_TELEMETRY_DISABLED: "1" };
    const ours = (await run(process.execPath, [mainstayBin, "types", "--dir", dir], { env, cwd: dir })).stdout;
    const remote = `--remote=${app.databaseUrl}?sslmode=disable`;
    const theirs = (await run(supabaseBin, ["gen", "types", remote, "--workdir", dir], { env, cwd: dir })).stdout;
    for (const types of [ours, theirs]) {
      expect(types).toContain("albums");
      expect(types).not.toMatch(/buckets|object_versions|user_metadata/);
    }
  });
});
