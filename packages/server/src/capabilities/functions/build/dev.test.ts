import { readdirSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { FunctionSet } from "../types.ts";
import type { BuildChange, FunctionBuild } from "./index.ts";
import { type TestProject, testProject } from "./testing.ts";

let project: TestProject;
afterEach(() => project.remove());

const says = (text: string) => `export default () => new Response(${JSON.stringify(text)});`;

interface Heard {
  readonly set: FunctionSet;
  readonly change: BuildChange;
}

/** What the build tells, in order. */
function hear(build: FunctionBuild) {
  const heard: Heard[] = [];
  const waiting: (() => void)[] = [];
  build.onChange((set, change) => {
    heard.push({ set, change });
    for (const wake of waiting.splice(0)) wake();
  });
  return {
    heard,
    async until(isIt: (heard: Heard) => boolean): Promise<Heard> {
      for (;;) {
        const found = heard.find(isIt);
        if (found !== undefined) return found;
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
    },
  };
}

describe("in dev", () => {
  it("a save is a new set; what did not change keeps its bundle", async () => {
    project = await testProject({
      "functions/a.ts": 'import { x } from "../lib/x.ts"; export default () => new Response(x);',
      "functions/b.ts": says("b"),
      "lib/x.ts": 'export const x = "1";',
    });
    const build = await project.open("dev");
    const before = new Map(build.current().functions.map(({ name, bundle }) => [name, bundle]));
    const { until } = hear(build);
    await project.write({ "lib/x.ts": 'export const x = "2";' });
    const { set, change } = await until(({ change }) => change.names.includes("a"));
    expect(change).toMatchObject({ names: ["a"], hasNewSecrets: false });
    const now = new Map(set.functions.map(({ name, bundle }) => [name, bundle]));
    expect(now.get("a")).not.toBe(before.get("a"));
    expect(now.get("b")).toBe(before.get("b"));
    const module = await project.load(build, "a");
    expect(await (module.default as () => Response)().text()).toBe("2");
  });

  it("functions come, go, are renamed, break and are mended", async () => {
    project = await testProject({ "functions/a.ts": says("a") });
    const build = await project.open("dev");
    const { until } = hear(build);
    await project.write({ "functions/new/index.ts": says("new") });
    await until(({ set }) => set.functions.some(({ name }) => name === "new"));
    await rename(join(project.dir, "functions/a.ts"), join(project.dir, "functions/z.ts"));
    await until(({ set }) => set.functions.map(({ name }) => name).join() === "new,z");
    await project.write({ "functions/z.ts": "export default () => {" });
    // What is broken is not served as it was.
    const broken = await until(({ set }) => set.diagnostics.some(({ functionName }) => functionName === "z"));
    expect(broken.set.functions.map(({ name }) => name)).toEqual(["new"]);
    await project.write({ "functions/z.ts": says("mended") });
    await until(({ set }) => set.functions.length === 2 && set.diagnostics.length === 0);
    await rm(join(project.dir, "functions"), { recursive: true });
    await until(({ set }) => set.functions.length === 0);
  });

  it("what was missing is found once it is there: a file, a package, the folder itself", async () => {
    project = await testProject({ "package.json": "{}" });
    const build = await project.open("dev");
    const { until } = hear(build);
    await project.write({
      "functions/a.ts":
        'import { x } from "./_x.ts"; import { v } from "thing"; export default () => new Response(x + v);',
    });
    await until(({ set }) => set.diagnostics.some(({ message }) => message.includes("_x.ts")));
    await project.write({ "functions/_x.ts": "export const x = 1;" });
    await until(({ set }) => set.diagnostics.length === 1 && set.diagnostics[0]!.message.includes('"thing"'));
    await project.install("thing", "1.0.0", "export const v = 2;");
    await project.write({ "package-lock.json": "{}" });
    await until(({ set }) => set.functions.length === 1 && set.diagnostics.length === 0);
  });

  it("tells of new secrets and of another import map, and of nothing else", async () => {
    project = await testProject({
      "functions/a.ts": 'import { x } from "x"; export default () => new Response(x);',
      "functions/one.ts": 'export const x = "one";export default 1',
      "functions/two.ts": 'export const x = "two";export default 1',
      "functions/deno.json": '{ "imports": { "x": "./one.ts" } }',
    });
    const build = await project.open("dev");
    const { until, heard } = hear(build);
    await project.write({ "functions/.env": "KEY=1" });
    expect((await until(({ change }) => change.hasNewSecrets)).change.names).toEqual([]);
    await project.write({ "README.md": "not of interest", "functions/notes.md": "nor this" });
    await project.write({ "functions/deno.json": '{ "imports": { "x": "./two.ts" } }' });
    expect((await until(({ change }) => change.names.length > 0)).change).toMatchObject({
      names: ["a"],
      hasNewSecrets: false,
    });
    // A save may be seen half done, and then whole.
    expect(heard.every(({ change }) => change.hasNewSecrets || change.names.includes("a"))).toBe(true);
    expect(readdirSync(join(project.dir, ".mainstay/cache/functions"))).toContain("manifest.json");
  });
});
