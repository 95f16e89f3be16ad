import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it } from "vitest";

const { bundle } = (await import(new URL("./bundle.mjs", import.meta.url).href)) as {
  bundle(root: string): Promise<void>;
};
const repository = join(import.meta.dirname, "../..");
let root: string;

// A checkout with the real command's beginning, and a small program behind it.
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "bundle-"));
  await cp(join(repository, "packages/cli/bin"), join(root, "packages/cli/bin"), { recursive: true });
  await symlink(join(repository, "node_modules"), join(root, "node_modules"));
  await source("main.ts", main("one"));
  await source("places/beside.ts", 'export const place: string = import.meta.url + " " + import.meta.dirname;');
  await source("places/later.ts", 'export const later: string = "later";');
});
afterEach(() => rm(root, { recursive: true, force: true }));

const main = (word: string): string => `
  import { parse } from "semver";
  import { place } from "./places/beside.ts";
  export async function main(args: readonly string[]): Promise<number> {
    if (args.includes("--fail")) throw new Error("on line 5");
    const { later } = await import("./places/later.ts");
    const isBundled = new Error().stack!.includes("/bundle/");
    console.log(JSON.stringify({ word: "${word}", isBundled, place, later, major: parse("3.2.1")!.major }));
    return 0;
  }`;
const source = async (path: string, text: string): Promise<void> => {
  const file = join(root, "packages/cli/src", path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
};
const run = promisify(execFile);
const started = async (...args: string[]) => {
  const { stdout } = await run(process.execPath, [join(root, "packages/cli/bin/mainstay.mjs"), ...args]);
  return JSON.parse(stdout) as { word: string; isBundled: boolean; place: string; later: string; major: number };
};

it("starts from the bundle as long as it is what the sources say", async () => {
  const asSource = await started();
  expect(asSource).toMatchObject({ word: "one", isBundled: false, later: "later", major: 3 });
  await bundle(root);
  expect(await started()).toEqual({ ...asSource, isBundled: true });

  await source("main.ts", main("two"));
  expect(await started()).toMatchObject({ word: "two", isBundled: false });
  await bundle(root);
  expect(await started()).toMatchObject({ word: "two", isBundled: true });

  await rm(join(root, "packages/cli/src/places/later.ts"));
  await expect(started()).rejects.toThrow("later.ts");
});

it("is made once", async () => {
  const stamp = join(root, "packages/cli/bundle/made-of.json");
  await bundle(root);
  await utimes(stamp, 1, 1);
  await bundle(root);
  expect((await stat(stamp)).mtimeMs).toBe(1_000);
});

it("keeps what a server may still load, for a week", async () => {
  await bundle(root);
  const dir = join(root, "packages/cli/bundle");
  const [later = ""] = (await readdir(dir)).filter((name) => /^later-\w+\.js$/.test(name));
  await source("places/later.ts", 'export const later: string = "much later";');
  await bundle(root);
  expect(await readdir(dir)).toContain(later);
  const old = Date.now() / 1_000 - 8 * 86_400;
  await utimes(join(dir, later), old, old);
  await source("places/later.ts", 'export const later: string = "latest";');
  await bundle(root);
  expect(await readdir(dir)).not.toContain(later);
  expect(await started()).toMatchObject({ isBundled: true, later: "latest" });
});

it("fails at nothing, and leaves the source to say what is wrong", async () => {
  await source("main.ts", "export const main = ;");
  await bundle(root);
  await expect(started()).rejects.toThrow("main.ts");
});

it("names sources in stacks with --debug", async () => {
  await bundle(root);
  await expect(started("--fail", "--debug")).rejects.toThrow(/src\/main\.ts:5:/);
});
