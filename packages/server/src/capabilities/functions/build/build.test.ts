import { execFile } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import { type TestProject, testProject } from "./testing.ts";

let project: TestProject;
afterEach(() => project.remove());

const start = async (files: Readonly<Record<string, string>>) => {
  project = await testProject(files);
  return project.open();
};
const hello = 'export default () => new Response("hello");';
type Handler = (request?: Request) => Promise<Response> | Response;
const textOf = async (module: Readonly<Record<string, unknown>>) => (await (module.default as Handler)()).text();

describe("what is a function", () => {
  it("is a file, or a folder with an index; not shared code, tests, declarations and what has no code", async () => {
    const build = await start({
      "functions/hello.ts": hello,
      "functions/folder/index.ts": hello,
      "functions/plain.js": hello,
      "functions/_shared/index.ts": hello,
      "functions/_shared.ts": hello,
      "functions/.hidden.ts": hello,
      "functions/hello.test.ts": hello,
      "functions/types.d.ts": "export {};",
      "functions/deno.json": "{}",
      "functions/node_modules/x/index.ts": hello,
    });
    expect(build.current().functions.map(({ name, file }) => [name, file])).toEqual([
      ["folder", "functions/folder/index.ts"],
      ["hello", "functions/hello.ts"],
      ["plain", "functions/plain.js"],
    ]);
    expect(build.current().diagnostics).toEqual([]);
    expect(await textOf(await project.load(build, "hello"))).toBe("hello");
  });

  it("has a name that an address can have, and that no other has", async () => {
    const build = await start({
      "functions/a.b.ts": hello,
      "functions/two.ts": hello,
      "functions/two/index.ts": hello,
      "functions/ok.ts": hello,
      "functions/lib/util.ts": hello,
    });
    expect(build.current().functions.map(({ name }) => name)).toEqual(["ok"]);
    expect(build.current().diagnostics).toMatchObject([
      { severity: "error", file: "functions/a.b.ts", message: 'A function cannot be called "a.b".' },
      { severity: "warning", file: "functions/lib", message: "This folder has no index.ts, so it is no function." },
      { severity: "error", functionName: "two", file: "functions/two.ts" },
    ]);
  });

  it("is what config.toml says: entrypoint, import map, enabled, verify_jwt", async () => {
    const build = await start({
      "supabase/config.toml": `
[functions.hello]
verify_jwt = false
[functions.off]
enabled = false
[functions.moved]
entrypoint = "./elsewhere/main.ts"
import_map = "./elsewhere/map.json"
[functions.gone]
entrypoint = "./gone.ts"
[functions.odd]
verify_jwt = "no"
`,
      "supabase/functions/hello/index.ts": hello,
      "supabase/functions/off/index.ts": hello,
      "supabase/elsewhere/main.ts": 'import { word } from "word"; export default () => new Response(word);',
      "supabase/elsewhere/map.json": '{ "imports": { "word": "./word.ts" } }',
      "supabase/elsewhere/word.ts": 'export const word = "moved";',
    });
    expect(build.current().functions.map(({ name, declared }) => [name, declared])).toEqual([
      ["hello", { verifyJwt: false }],
      ["moved", {}],
    ]);
    expect(await textOf(await project.load(build, "moved"))).toBe("moved");
    expect(build.current().diagnostics).toMatchObject([
      { severity: "warning", file: "supabase/config.toml", line: 11 },
      { severity: "error", functionName: "gone", file: "supabase/gone.ts" },
    ]);
  });

  it("X23: is never a link out of the project", async () => {
    project = await testProject({
      "functions/ok.ts": hello,
      "functions/reads.ts": 'import x from "./_out.txt"; export default () => x;',
    });
    await symlink("/etc/passwd", join(project.dir, "functions/passwd.ts"));
    await symlink("/etc/passwd", join(project.dir, "functions/_out.txt"));
    await symlink("/nowhere", join(project.dir, "functions/gone.ts"));
    const build = await project.open();
    expect(build.current().functions.map(({ name }) => name)).toEqual(["ok"]);
    expect(build.current().diagnostics).toMatchObject([
      { functionName: "gone", message: "It is a link that leads nowhere." },
      { functionName: "passwd", message: "It is a link out of the project's folder." },
      { functionName: "reads", message: '"./_out.txt" is a link out of the project\'s folder.', line: 1 },
    ]);
    const cache = join(project.dir, ".mainstay/cache/functions");
    for (const file of readdirSync(cache, { withFileTypes: true, recursive: true }))
      if (file.isFile()) expect(await readFile(join(file.parentPath, file.name), "utf8")).not.toContain("root:");
  });
});

describe("what an author is told", () => {
  it("of a syntax error: file, line, column, and the line itself; other functions run", async () => {
    const build = await start({
      "functions/broken.ts": 'const é = 1;\nexport default () => { return "é" + ; };\n',
      "functions/hello.ts": hello,
    });
    expect(build.current().functions.map(({ name }) => name)).toEqual(["hello"]);
    expect(build.current().diagnostics).toEqual([
      {
        severity: "error",
        functionName: "broken",
        file: "functions/broken.ts",
        line: 2,
        column: 37,
        message: 'Unexpected ";"',
        hint: null,
        source: 'export default () => { return "é" + ; };',
      },
    ]);
  });

  it("of packages that are not installed: where, and one line that installs all of them", async () => {
    const build = await start({
      "functions/a.ts": 'import Stripe from "npm:stripe@14.21.0";\nexport default () => Stripe;',
      "functions/b.ts":
        'import { z } from "https://esm.sh/zod@^3.22?target=deno";\nimport x from "@luca/flag";\nexport default () => [z, x];',
      "functions/c.ts": 'import x from "jsr:@luca/cases@1";\nexport default () => x;',
    });
    const command = 'npm install @luca/flag stripe@14.21.0 "zod@^3.22" && npx jsr add @luca/cases@1';
    expect(build.current().functions).toEqual([]);
    expect(build.current().diagnostics).toMatchObject([
      {
        functionName: "a",
        file: "functions/a.ts",
        line: 1,
        message: 'The package "stripe" is not installed.',
        hint: command,
      },
      { functionName: "b", line: 1, message: 'The package "zod" is not installed.', hint: command },
      { functionName: "b", line: 2, column: 15, message: 'The package "@luca/flag" is not installed.', hint: command },
      { functionName: "c", line: 1, message: 'The package "@luca/cases" is not installed.', hint: command },
    ]);
  });

  it("of code on the network, and of a version that is not the one asked for", async () => {
    project = await testProject({
      "functions/remote.ts": 'import x from "https://example.com/mod.ts";\nexport default () => x;',
      "functions/old.ts": 'import { v } from "npm:thing@^3";\nexport default () => new Response(v);',
    });
    await project.install("thing", "2.1.0", 'export const v = "two";');
    const build = await project.open();
    expect(build.current().diagnostics).toMatchObject([
      {
        severity: "warning",
        functionName: "old",
        line: 1,
        message: '"npm:thing@^3" asks for ^3, and installed is 2.1.0.',
      },
      {
        severity: "error",
        functionName: "remote",
        line: 1,
        message: expect.stringContaining("https://example.com/mod.ts"),
      },
    ]);
    expect(await textOf(await project.load(build, "old"))).toBe("two");
  });

  it("of a file that defines nothing, one that is too large", async () => {
    const build = await start({
      "functions/empty.ts": "export const x = 1;",
      "functions/giant.ts": `${hello}\n// ${"x".repeat(100_000)}`,
      "functions/serves.ts": 'Deno.serve(() => new Response("x"));',
      "functions/defines.ts": 'import { job } from "@mainstay/functions"; job("x", () => {});',
      "functions/asks.ts": 'import { job } from "@mainstay/functions"; export type J = typeof job; console.log(1);',
    });
    expect(build.current().functions.map(({ name }) => name)).toEqual(["defines", "serves"]);
    expect(build.current().diagnostics).toMatchObject([
      { functionName: "asks", message: "It defines nothing." },
      { functionName: "empty", message: "It defines nothing.", hint: expect.stringContaining("export default") },
      { functionName: "giant", message: expect.stringContaining("larger than 100000 bytes") },
    ]);
  });

  it("of an import map that is none", async () => {
    const build = await start({
      "functions/a/index.ts": hello,
      "functions/a/deno.json": '{ "imports": { "@/": "./src" } }',
      "functions/b/index.ts": hello,
      "functions/b/deno.json": "{ nonsense",
      "functions/c/index.ts": hello,
    });
    expect(build.current().functions.map(({ name }) => name)).toEqual(["c"]);
    expect(build.current().diagnostics).toMatchObject([
      { functionName: "a", file: "functions/a/deno.json", message: expect.stringContaining("slash") },
      { functionName: "b", file: "functions/b/deno.json", message: expect.stringContaining("cannot be read") },
    ]);
  });
});

describe("what stands for what", () => {
  it("packages stay outside and are the project's; import maps, JSON and text are taken in", async () => {
    project = await testProject({
      "deno.json": '{ // for all\n  "imports": { "thing": "npm:thing@1", "@/": "./functions/_lib/", }\n}',
      "functions/all.ts": `
import "jsr:@supabase/functions-js/edge-runtime.d.ts";
import { v } from "thing";
import { deep } from "npm:plain@1/deep";
import { lib } from "@/lib.ts";
import data from "./_lib/data.json" with { type: "json" };
import text from "./_lib/text.html" with { type: "text" };
import { basename } from "path";
import { join } from "node:path";
import type { Missing } from "npm:missing";
export default () => new Response([v, deep, lib, data.x, text, basename("/a/b"), join("c", "d")].join());
export type X = Missing;
`,
      "functions/_lib/lib.ts": 'export const lib: string = "lib";',
      "functions/_lib/data.json": '{ "x": "json" }',
      "functions/_lib/text.html": "<b>",
    });
    await project.install("thing", "1.0.0", 'export const v = "thing";', { exports: "./index.js", main: undefined });
    await project.install("plain", "1.0.0", "");
    await project.write({ "node_modules/plain/deep.js": 'export const deep = "deep";' });
    const build = await project.open();
    expect(build.current().diagnostics).toEqual([]);
    expect(await textOf(await project.load(build, "all"))).toBe("thing,deep,lib,json,<b>,b,c/d");
    expect(build.current().packageFolders).toEqual([join(project.dir, "node_modules")]);
    expect(await readFile(build.current().functions[0]!.bundle, "utf8")).toContain('from "thing"');
  });

  it("modules of Deno's standard library are ours, and what there is not of Deno is said", async () => {
    const build = await start({
      "functions/std.ts": `import { serve } from "https://deno.land/std@0.168.0/http/server.ts";
import { encodeBase64 } from "jsr:@std/encoding@1/base64";
serve(async () => {
  // Deno.openKv() in a comment
  const kv = await Deno.openKv();
  return new Response(encodeBase64(String(kv)));
});
`,
      "functions/other.ts": 'import { walk } from "https://deno.land/std/fs/walk.ts";\nexport default () => walk;',
    });
    expect(build.current().functions.map(({ name }) => name)).toEqual(["std"]);
    expect(build.current().diagnostics).toMatchObject([
      { severity: "error", functionName: "other", line: 1, message: expect.stringContaining('"fs/walk"') },
      {
        severity: "warning",
        functionName: "std",
        line: 5,
        column: 20,
        message: expect.stringContaining("Deno.openKv"),
      },
    ]);
    const code = await readFile(build.current().functions[0]!.bundle, "utf8");
    expect(code).not.toMatch(/from "(?:https|jsr):/);
  });

  it("an import map is looked up once: two entries that name each other send nobody around", async () => {
    const build = await start({
      "deno.json": '{ "imports": { "a": "b", "b": "a", "./x.ts": "./functions/_y.ts" } }',
      "functions/cycle.ts": 'import x from "a";\nexport default () => x;',
    });
    expect(build.current().diagnostics).toMatchObject([{ line: 1, message: 'The package "b" is not installed.' }]);
  });

  it("a package of a function's own folder is found, and one of a workspace is built in", async () => {
    project = await testProject({
      "functions/own/index.ts":
        'import { v } from "own"; import { w } from "work"; export default () => new Response(v + w);',
      "functions/own/node_modules/own/package.json":
        '{ "name": "own", "version": "1.0.0", "type": "module", "exports": "./x.js" }',
      "functions/own/node_modules/own/x.js": 'export const v = "own";',
      "work/package.json": '{ "name": "work", "version": "1.0.0", "exports": "./index.ts" }',
      "work/index.ts": 'export const w: string = "work";',
    });
    await mkdir(join(project.dir, "node_modules"));
    await symlink(join(project.dir, "work"), join(project.dir, "node_modules/work"));
    const build = await project.open();
    expect(await textOf(await project.load(build, "own"))).toBe("ownwork");
  });

  it("import.meta is that of the source, and traces show its lines", async () => {
    const build = await start({
      "functions/meta/index.ts": `
interface Unused { a: string }
import { url } from "../_other.ts";
if (import.meta.main) globalThis.name = "main";
export default () => new Response([import.meta.url, import.meta.dirname, url].join(" "));
`,
      "functions/_other.ts": "export const url = import.meta.url + import.meta.main;",
    });
    const [self, dir, other] = (await textOf(await project.load(build, "meta"))).split(" ");
    expect(self).toBe(`file://${project.dir}/functions/meta/index.ts`);
    expect(dir).toBe(join(project.dir, "functions/meta"));
    expect(other).toBe(`file://${project.dir}/functions/_other.tsfalse`);
    const bundle = build.current().functions[0]!.bundle;
    const map = JSON.parse(await readFile(`${bundle}.map`, "utf8")) as { sources: string[] };
    expect(map.sources.map((source) => join(bundle, "..", source)).sort()).toEqual([
      join(project.dir, "functions/_other.ts"),
      join(project.dir, "functions/meta/index.ts"),
    ]);
  });
});

describe("what is kept", () => {
  it("nothing is built again while nothing is new, and everything that is", async () => {
    project = await testProject({
      "functions/a.ts": 'import { x } from "./_x.ts"; export default () => new Response(x);',
      "functions/_x.ts": 'export const x = "1";',
      "functions/b.ts": 'import { v } from "thing"; export default () => new Response(v);',
    });
    await project.install("thing", "1.0.0", 'export const v = "one";');
    const bundles = async () => {
      const build = await project.open();
      return Object.fromEntries(build.current().functions.map(({ name, bundle }) => [name, bundle]));
    };
    const first = await bundles();
    const writtenAt = () => statSync(first.a!).mtimeMs;
    const before = writtenAt();
    expect(await bundles()).toEqual(first);
    expect(writtenAt()).toBe(before);
    // What is torn is not believed.
    await writeFile(first.a!, "garbage");
    expect(await bundles()).toEqual(first);
    expect(await readFile(first.a!, "utf8")).not.toBe("garbage");
    await project.write({ "functions/_x.ts": 'export const x = "2";' });
    const second = await bundles();
    expect(second.a).not.toBe(first.a);
    expect(second.b).toBe(first.b);
    const build = await project.open();
    expect(await textOf(await project.load(build, "a"))).toBe("2");
    await project.install("thing", "1.1.0", 'export const v = "one";');
    expect((await bundles()).b).toBe(first.b);
    await rm(join(project.dir, "node_modules/thing"), { recursive: true });
    expect(Object.keys(await bundles())).toEqual(["a"]);
  });

  it("does not even load the compiler when everything is built", async () => {
    const build = await start({ "functions/a.ts": hello });
    const module = pathToFileURL(join(import.meta.dirname, "index.ts")).href;
    const run = async () => {
      const { stdout } = await promisify(execFile)(process.execPath, [
        "--input-type=module",
        "--eval",
        `import { openFunctionBuild } from ${JSON.stringify(module)};
         import { createRequire } from "node:module";
         const build = await openFunctionBuild({
           projectDir: ${JSON.stringify(project.dir)}, functionsDir: ${JSON.stringify(join(project.dir, "functions"))},
           supabaseConfigFile: null, cacheDir: ${JSON.stringify(join(project.dir, ".mainstay/cache/functions"))}, mode: "start",
           settings: { functionsSourceLimitBytes: 100000, functionsBundleLimitBytes: 1000000 }, observe() {},
         });
         const isLoaded = Object.keys(createRequire(import.meta.url).cache).some((path) => path.includes("esbuild"));
         console.log(JSON.stringify({ isLoaded, bundle: build.current().functions[0].bundle }));`,
      ]);
      return JSON.parse(stdout) as unknown;
    };
    const { bundle } = build.current().functions[0]!;
    expect(await run()).toEqual({ isLoaded: false, bundle });
    await project.write({ "functions/a.ts": `${hello}console.log(1);` });
    expect(await run()).toMatchObject({ isLoaded: true });
  });

  it("keeps its files to itself, and a few old bundles at most", async () => {
    const build = await start({ "functions/a.ts": hello });
    for (let at = 0; at < 25; at += 1) {
      await project.write({ "functions/a.ts": `export default () => new Response("${at}");` });
      await build.rebuild();
    }
    const dir = join(project.dir, ".mainstay/cache/functions");
    const names = readdirSync(dir);
    expect(names.filter((name) => name.endsWith(".mjs"))).toHaveLength(21);
    expect(names).toContain(basename(build.current().functions[0]!.bundle));
    for (const name of names) expect(statSync(join(dir, name)).mode & 0o077).toBe(0);
  });

  it("makes nothing in a project without functions", async () => {
    const build = await start({ "package.json": "{}" });
    expect(build.current()).toEqual({ functions: [], diagnostics: [], packageFolders: [] });
    expect(readdirSync(project.dir)).toEqual(["package.json"]);
  });
});
