import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { type FunctionBuild, type FunctionBuildNeeds, openFunctionBuild } from "./index.ts";

/** A project's folder with these files, for a test. */
export interface TestProject {
  readonly dir: string;
  write(files: Readonly<Record<string, string>>): Promise<void>;
  /** Makes a package as npm would have installed it: its module and its version. */
  install(name: string, version: string, code: string, manifest?: Readonly<Record<string, unknown>>): Promise<void>;
  open(mode?: FunctionBuildNeeds["mode"], given?: Partial<FunctionBuildNeeds>): Promise<FunctionBuild>;
  /** Imports what was built of a function. */
  load(build: FunctionBuild, name: string): Promise<Readonly<Record<string, unknown>>>;
  remove(): Promise<void>;
}

export async function testProject(files: Readonly<Record<string, string>>): Promise<TestProject> {
  const dir = await realpath(await mkdtemp(join(tmpdir(), "mainstay-functions-")));
  const opened: FunctionBuild[] = [];
  const write = async (given: Readonly<Record<string, string>>): Promise<void> => {
    for (const [path, text] of Object.entries(given)) {
      await mkdir(dirname(join(dir, path)), { recursive: true });
      await writeFile(join(dir, path), text);
    }
  };
  await write(files);
  return {
    dir,
    write,
    install: (name, version, code, manifest = {}) =>
      write({
        [`node_modules/${name}/package.json`]: JSON.stringify({
          name,
          version,
          type: "module",
          main: "index.js",
          ...manifest,
        }),
        [`node_modules/${name}/index.js`]: code,
      }),
    async open(mode = "start", given = {}) {
      const layout = Object.keys(files).some((path) => path.startsWith("supabase/")) ? "supabase/" : "";
      const build = await openFunctionBuild({
        projectDir: dir,
        functionsDir: join(dir, `${layout}functions`),
        supabaseConfigFile: layout === "" ? null : join(dir, "supabase/config.toml"),
        cacheDir: join(dir, ".mainstay/cache/functions"),
        mode,
        settings: { functionsSourceLimitBytes: 100_000, functionsBundleLimitBytes: 1_000_000 },
        observe: () => {},
        ...given,
      });
      opened.push(build);
      return build;
    },
    async load(build, name) {
      const found = build.current().functions.find((built) => built.name === name);
      if (found === undefined)
        throw new Error(`"${name}" was not built: ${JSON.stringify(build.current().diagnostics, null, 2)}`);
      return (await import(pathToFileURL(found.bundle).href)) as Readonly<Record<string, unknown>>;
    },
    async remove() {
      for (const build of opened) await build.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
