import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mainstayHere } from "../in-process.testing.ts";
import { temporaryFolder } from "../testing.ts";
import { templateKinds } from "./templates.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

const write = async (path: string, text: string) => {
  await mkdir(join(folder.path, path, ".."), { recursive: true });
  await writeFile(join(folder.path, path), text);
};
const functions = (...args: string[]) => mainstayHere(["functions", ...args], { cwd: folder.path });

describe("mainstay functions", () => {
  it("new writes a function of each kind, which builds, checks and defines what it says", async () => {
    for (const kind of templateKinds) {
      const { code, out } = await functions("new", `my-${kind}`, "--kind", kind, "--json");
      expect({ code, out }).toEqual({ code: 0, out: `{"file":"functions/my-${kind}.ts"}\n` });
    }
    expect(await functions("check", "--json")).toEqual({
      code: 0,
      err: "",
      out: `${JSON.stringify({ functions: templateKinds.map((kind) => `my-${kind}`).sort(), diagnostics: [] })}\n`,
    });
    const { out, code } = await functions("list", "--json");
    const listed = JSON.parse(out) as {
      functions: { name: string; definitions: { kind: string }[] }[];
      diagnostics: unknown[];
    };
    expect(listed.diagnostics).toEqual([]);
    expect(listed.functions.map(({ name, definitions }) => [name, definitions.map(({ kind }) => kind)])).toEqual([
      ["my-change", ["change"]],
      ["my-cron", ["cron"]],
      ["my-http", ["http"]],
      ["my-job", ["job", "http"]],
      ["my-webhook", ["webhook"]],
    ]);
    expect(code).toBe(0);
    expect((await functions("list")).out).toContain("my-cron     cron     0 8 * * * UTC");
  });

  it("new keeps to the project's layout, overwrites nothing and takes only names that work", async () => {
    await write("supabase/migrations/1_a.sql", "");
    expect((await functions("new", "hello")).out).toContain("supabase/functions/hello/index.ts");
    const before = await readFile(join(folder.path, "supabase/functions/hello/index.ts"), "utf8");
    expect(await functions("new", "hello", "--kind", "cron")).toMatchObject({
      code: 1,
      err: expect.stringContaining("already: supabase/functions/hello/index.ts"),
    });
    expect(await readFile(join(folder.path, "supabase/functions/hello/index.ts"), "utf8")).toBe(before);
    for (const name of ["../up", "a/b", "a.b", "_shared", ""])
      expect(await functions("new", name)).toMatchObject({ code: 2 });
    expect(await functions("new", "x", "--kind", "cobol")).toMatchObject({ code: 2 });
  });

  it("check shows where, the line and a mark under the place, and ends with 1", async () => {
    await write(
      "functions/typed.ts",
      "export default () => {\n\tconst x: number = 'one';\n\treturn new Response(x);\n};\n",
    );
    await write("functions/broken.ts", "export default () => {");
    const { code, out } = await functions("check");
    expect(code).toBe(1);
    expect(out).toContain("✗ functions/broken.ts:1:23  Unexpected end of file");
    expect(out).toContain("! functions/typed.ts:2:8  Type 'string' is not assignable to type 'number'. (TS2322)");
    expect(out).toContain("    2 │ \tconst x: number = 'one';\n      │ \t      ^\n");
  });

  it("list says why a function cannot be loaded, and shows the others", async () => {
    await write("functions/throws.ts", 'throw new Error("at once");\nexport default () => new Response();');
    await write("functions/fine.ts", 'Deno.serve(() => new Response("x"));');
    const { code, out } = await functions("list");
    expect(code).toBe(1);
    expect(out).toContain("fine  http  /functions/v1/fine");
    expect(out).toContain("functions/throws.ts");
    expect(out).toContain("at once");
  });

  it("X23: reads nothing that a link leads to outside of the project", async () => {
    await write(
      "functions/a.ts",
      'import text from "./_x.txt" with { type: "text" };\nexport default () => new Response(text);',
    );
    await symlink("/etc/passwd", join(folder.path, "functions/_x.txt"));
    const { code, out } = await functions("check");
    expect({ code, leaks: out.includes("root:") }).toEqual({ code: 1, leaks: false });
  });
});
