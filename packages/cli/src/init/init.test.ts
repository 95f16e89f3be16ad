import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mainstay, temporaryFolder } from "../testing.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;

beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

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
    expect(JSON.parse(await read("my-app/package.json"))).toMatchObject({
      name: "my-app",
      scripts: { dev: "mainstay dev" },
    });
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
    expect(await read(".gitignore")).toBe("dist\n.env\nnode_modules/\n.mainstay/\n.env.local\n");
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
