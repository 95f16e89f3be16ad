import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { parseJsonc } from "../jsonc.ts";
import { findOurs, findPackage, isBundledAlways } from "../packages.ts";
import { globalDeclarations, textDeclarations } from "./declarations.ts";

/** What the type checker has to be told of functions: it knows neither `npm:` nor Deno nor where our library is. */
export interface CheckInput {
  readonly projectDir: string;
  readonly functionsDir: string;
  readonly cacheDir: string;
  /** Absolute: the functions' own files; what they import is found from there. */
  readonly entries: readonly string[];
  /** What specifiers stand for: a package with its subpath, or an absolute path. */
  readonly rewritten: ReadonlyMap<string, string>;
  /** Import maps' entries that lead to files, as absolute paths. */
  readonly paths: ReadonlyMap<string, string>;
}

/** Names of what is written into the cache. An author's own `tsconfig.json` may extend the first. */
const baseName = "tsconfig.json";
const checkName = "tsconfig.check.json";

/** Writes what the checker reads. @returns the configuration to check with, absolute */
export function writeCheckFiles(input: CheckInput): string {
  const { cacheDir, functionsDir } = input;
  mkdirSync(cacheDir, { recursive: true, mode: 0o700 });
  const globals = join(cacheDir, "globals.d.ts");
  writeIfNew(globals, `${nodeReference(input)}${globalDeclarations}${textDeclarations}${shims(input)}`);
  const paths = Object.fromEntries([
    ...ourPaths(input),
    ...[...input.paths].map(([from, to]) => (from.endsWith("/") ? [`${from}*`, [`${to}*`]] : [from, [to]])),
  ]) as Readonly<Record<string, readonly string[]>>;
  const base = {
    compilerOptions: { ...options, paths },
    include: [functionsDir, globals],
    exclude: [join(functionsDir, "**/node_modules")],
  };
  writeIfNew(join(cacheDir, baseName), `${JSON.stringify(base, null, 2)}\n`);
  const own = join(functionsDir, "tsconfig.json");
  const check = {
    extends: existsSync(own) ? own : join(cacheDir, baseName),
    compilerOptions: {
      noEmit: true,
      allowImportingTsExtensions: true,
      skipLibCheck: true,
      paths: { ...(existsSync(own) ? pathsOf(own) : {}), ...paths },
    },
    files: [...input.entries, ...declarationsIn(functionsDir), globals],
    include: [],
  };
  const file = join(cacheDir, checkName);
  writeIfNew(file, `${JSON.stringify(check, null, 2)}\n`);
  return file;
}

const options = {
  target: "esnext",
  lib: ["esnext", "dom", "dom.iterable", "dom.asynciterable"],
  module: "esnext",
  moduleResolution: "bundler",
  moduleDetection: "force",
  allowImportingTsExtensions: true,
  resolveJsonModule: true,
  allowJs: true,
  jsx: "react-jsx",
  strict: true,
  skipLibCheck: true,
  noEmit: true,
  types: [],
};

/** Modules that are written in another way than a package is called. Types are looked for from the cache's folder, as the bundle's are. */
function shims({ rewritten, projectDir, cacheDir }: CheckInput): string {
  return [...rewritten]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .filter(([specifier, target]) => specifier !== target || !hasTypes(target, projectDir, cacheDir))
    .map(([specifier, target]) => {
      const name = JSON.stringify(specifier);
      if (target === "") return `declare module ${name} {}\n`;
      if (!hasTypes(target, projectDir, cacheDir)) return `declare module ${name};\n`;
      const to = JSON.stringify(target);
      return `declare module ${name} {\n  export * from ${to};\n  export { default } from ${to};\n}\n`;
    })
    .join("");
}

/** A package without types may be used, as in JavaScript. */
function hasTypes(target: string, projectDir: string, cacheDir: string): boolean {
  if (target === "" || isAbsolute(target)) return true;
  const name = packageName(target);
  const found = findPackage(name, cacheDir) ?? findPackage(name, projectDir) ?? findOurs(name);
  if (found === null) return false;
  // Written in TypeScript: the library functions are written with, and packages of a workspace.
  if (isBundledAlways(name) || !found.isInstalled) return true;
  if (findPackage(`@types/${name.replace(/^@([^/]+)\//, "$1__")}`, cacheDir) !== null) return true;
  const manifest = readFileSync(join(found.dir, "package.json"), "utf8");
  return /"(?:types|typings)"\s*:|\.d\.[cm]?ts"/.test(manifest) || existsSync(join(found.dir, "index.d.ts"));
}

/** Packages of this server, for projects that have no copy of their own. */
function ourPaths({ projectDir, rewritten }: CheckInput): readonly (readonly [string, readonly string[]])[] {
  const names = new Set([
    "@mainstay/functions",
    ...[...rewritten.values()].filter((to) => to !== "" && !isAbsolute(to)).map(packageName),
  ]);
  return [...names].flatMap((name) => {
    if (findPackage(name, projectDir) !== null) return [];
    const ours = findOurs(name);
    if (ours === null) return [];
    const dir = realpathSync(ours.dir);
    const source = join(dir, "src/index.ts");
    return [[name, [name === "@mainstay/functions" && existsSync(source) ? source : dir]] as const];
  });
}

const packageName = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");

/** Types of `node:` modules, where somebody has installed them. */
function nodeReference({ projectDir }: CheckInput): string {
  const theirs = findPackage("@types/node", projectDir)?.dir;
  const ours = (createRequire(import.meta.url).resolve.paths("@types/node") ?? [])
    .map((folder) => join(folder, "@types/node"))
    .find((dir) => existsSync(dir));
  const dir = theirs ?? ours;
  return dir === undefined
    ? 'declare module "node:*";\n'
    : `/// <reference path=${JSON.stringify(join(dir, "index.d.ts"))} />\n`;
}

const declarationsIn = (dir: string): readonly string[] =>
  readdirSync(dir)
    .filter((name) => name.endsWith(".d.ts"))
    .map((name) => join(dir, name));

/** The author's own `paths`, as absolute ones: those of a configuration that extends another replace all of it. */
function pathsOf(file: string): Readonly<Record<string, readonly string[]>> {
  try {
    const { compilerOptions } = parseJsonc(readFileSync(file, "utf8")) as {
      compilerOptions?: { paths?: Record<string, readonly string[]>; baseUrl?: string };
    };
    const base = resolve(dirname(file), compilerOptions?.baseUrl ?? ".");
    return Object.fromEntries(
      Object.entries(compilerOptions?.paths ?? {}).map(([from, to]) => [from, to.map((path) => resolve(base, path))]),
    );
  } catch {
    // The checker itself says what is wrong with it.
    return {};
  }
}

function writeIfNew(path: string, text: string): void {
  if (!existsSync(path) || readFileSync(path, "utf8") !== text) writeFileSync(path, text, { mode: 0o600 });
}
