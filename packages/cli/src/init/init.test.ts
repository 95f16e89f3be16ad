import { mkdir, mkdtemp, readdir, readFile, realpath, symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Settings } from "@mainstay/server";
import { settingGroups } from "@mainstay/server/config";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mainstay, temporaryFolder } from "../testing.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;

beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

const bin = await realpath(join(import.meta.dirname, "../../bin/mainstay.mjs"));
const emptyFolder = () => mkdtemp(join(folder.path, "empty-"));
const read = (path: string) => readFile(join(folder.path, path), "utf8");

describe("mainstay init", () => {
  it("makes a project with a schema, policies, and data and secrets kept out of git", async () => {
    const { code, out } = await mainstay(["init", "my-app", "--json"], { cwd: folder.path });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ layout: "mainstay", dir: join(folder.path, "my-app") });
    const [migration = ""] = await readdir(join(folder.path, "my-app/migrations"));
    expect(migration).toMatch(/^\d{14}_init\.sql$/);
    const sql = await read(`my-app/migrations/${migration}`);
    expect(sql.match(/create table/g)).toHaveLength(2);
    expect(sql.match(/enable row level security/g)).toHaveLength(2);
    expect((await read("my-app/.gitignore")).split("\n")).toEqual(
      expect.arrayContaining([".mainstay/", ".env", ".env.local"]),
    );
    expect(JSON.parse(await read("my-app/package.json"))).toEqual({ name: "my-app", private: true, type: "module" });
  });

  it("shows settings that there are, and calls the app by its name", async () => {
    await mainstay(["init", "my-app"], { cwd: folder.path });
    const example = await read("my-app/.env.example");
    const shown = [...example.matchAll(/^# ([A-Z][A-Z0-9_]+)=/gm)].map(([, name]) => name);
    const known = new Set(
      Object.values(settingGroups).flatMap((group: Settings) => Object.values(group).flatMap(({ env }) => env)),
    );
    expect(shown.length).toBeGreaterThan(15);
    expect(shown.filter((name) => !known.has(name ?? ""))).toEqual([]);
    // Whoever takes every line as it is has a configuration, if not a server.
    await writeFile(join(folder.path, "my-app/.env"), example.replace(/^# ([A-Z][A-Z0-9_]+=)/gm, "$1"));
    const { code, out } = await mainstay(["config", "show", "--json"], { cwd: join(folder.path, "my-app") });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toContainEqual(
      expect.objectContaining({ name: "mailFromName", value: "my-app", origin: "mainstay.config.ts" }),
    );
  });

  it("never sends anybody to the package of that name in npm's registry, which is not ours", async () => {
    const { out } = await mainstay(["init", "my-app"], { cwd: folder.path, env: { PATH: "" } });
    expect(out).not.toContain("npx");
    const command = /^ {2}node (\S+mainstay\.mjs) dev --dir my-app$/m.exec(out)?.[1] ?? "";
    expect(await realpath(resolve(folder.path, command))).toBe(bin);
    const files = await readdir(join(folder.path, "my-app"), { recursive: true, withFileTypes: true });
    for (const file of files.filter((entry) => entry.isFile())) {
      const text = await readFile(join(file.parentPath, file.name), "utf8");
      expect(text.replaceAll("In a clone of Mainstay the command is `npx mainstay`", "")).not.toMatch(/npx|"mainstay"/);
    }
  });

  it("says how to go on in the way it was found: by npx in a clone, by the shell's path", async () => {
    const linked = join(folder.path, "clone/node_modules/.bin");
    await mkdir(linked, { recursive: true });
    await symlink(bin, join(linked, "mainstay"));
    const inClone = await mainstay(["init", "my-app"], { cwd: join(folder.path, "clone") });
    expect(inClone.out).toContain("\n  npx mainstay dev --dir my-app\n");
    const onPath = await mainstay(["init"], { cwd: await emptyFolder(), env: { PATH: linked } });
    expect(onPath.out).toContain("\n  mainstay dev\n");
  });

  it("works with an existing supabase/ folder in place", async () => {
    await mkdir(join(folder.path, "supabase/migrations"), { recursive: true });
    await writeFile(join(folder.path, "supabase/migrations/20260101000000_a.sql"), "select 1;");
    const { out } = await mainstay(["init", "--json"], { cwd: folder.path });
    expect(JSON.parse(out).layout).toBe("supabase");
    expect(await readdir(folder.path)).not.toContain("migrations");
    expect(await readdir(join(folder.path, "supabase"))).toEqual(["migrations"]);
    expect(await read("README.md")).toContain("`supabase/migrations/`");
  });

  it("overwrites nothing: what is there stays, .gitignore only grows", async () => {
    await writeFile(join(folder.path, "README.md"), "mine");
    await writeFile(join(folder.path, "package.json"), '{"name":"mine"}');
    await writeFile(join(folder.path, ".gitignore"), "dist\n.env");
    const { code, out } = await mainstay(["init"], { cwd: folder.path });
    expect(code).toBe(0);
    expect(out).toContain("README.md is yours already");
    expect(await read("README.md")).toBe("mine");
    expect(await read("package.json")).toBe('{"name":"mine"}');
    expect(await read(".gitignore")).toBe("dist\n.env\nnode_modules/\n.mainstay/\n.env.local\nfunctions/.env\n");
  });

  it("refuses a project that is one already, and a file", async () => {
    await mainstay(["init"], { cwd: folder.path });
    const before = await readdir(join(folder.path, "migrations"));
    const again = await mainstay(["init"], { cwd: folder.path });
    expect(again).toMatchObject({ code: 1, out: "", err: expect.stringContaining("is a Mainstay project already") });
    expect(await readdir(join(folder.path, "migrations"))).toEqual(before);
    await writeFile(join(folder.path, "file"), "");
    expect(await mainstay(["init", "file"], { cwd: folder.path })).toMatchObject({ code: 2 });
  });
});
