import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative, resolve, sep } from "node:path";
import type { Diagnostic } from "../types.ts";
import type { Compiled } from "./compile.ts";
import type { FoundFunction } from "./find.ts";
import type { ImportMap } from "./import-map.ts";
import { hashOf } from "./load.ts";
import { findOurs, findPackage } from "./packages.ts";

/** What a function was built from. While all of it is the same, its bundle is. Paths are relative to the project. */
export interface BuiltEntry {
  readonly name: string;
  readonly entry: string;
  readonly bundle: string;
  /** Hashes by path: of sources and of import maps. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly importMaps: Readonly<Record<string, string>>;
  readonly packages: readonly {
    readonly name: string;
    readonly from: string;
    readonly dir: string;
    readonly version: string;
    readonly isOurs: boolean;
    readonly isExternal: boolean;
  }[];
  /** What other specifiers stand for, for the type checker. */
  readonly rewritten: Readonly<Record<string, string>>;
  readonly warnings: readonly Diagnostic[];
}

interface Manifest {
  readonly key: string;
  readonly entries: readonly BuiltEntry[];
}

/** Changes with what the builder makes of the same sources. */
const builderVersion = 1;

/** Bundles on disk, and what they were made from: so that a start with nothing new compiles nothing. */
export interface BuildCache {
  /** Forgets what was built of other files than there are now. */
  refresh(): void;
  /** The bundle that was made of this function as it is now, or `null`. */
  find(found: FoundFunction, importMap: ImportMap): BuiltEntry | null;
  keep(found: FoundFunction, importMap: ImportMap, compiled: Compiled): BuiltEntry;
  /** Absolute. */
  bundlePath(entry: BuiltEntry): string;
  /** Absolute folders `node_modules` that the bundle's packages are in. */
  packageFolders(entry: BuiltEntry): readonly string[];
  /** Remembers these, and no others. */
  save(entries: readonly BuiltEntry[]): void;
  /** Removes bundles that neither these are nor the last few that were there. */
  sweep(entries: readonly BuiltEntry[]): void;
}

/** Bundles that are kept beside those of now: threads that still run them may ask for their source map. */
const keptBundles = 20;

/** `layout` says which files there are: a new one may stand before another that an import has led to. */
export function openBuildCache(projectDir: string, cacheDir: string, layout: () => string): BuildCache {
  mkdirSync(cacheDir, { recursive: true, mode: 0o700 });
  const file = join(cacheDir, "manifest.json");
  const toRelative = (path: string): string => relative(projectDir, path).split(sep).join("/");
  const key = () => hashOf([builderVersion, esbuildVersion(), projectDir, layout()].join("\0"));
  const known = new Map<string, BuiltEntry>();
  let currentKey = key();
  const stored = read(file);
  if (stored?.key === currentKey) for (const entry of stored.entries) known.set(entry.name, entry);
  const bundlePath = (entry: BuiltEntry): string => join(cacheDir, entry.bundle);

  const isCurrent = (entry: BuiltEntry, found: FoundFunction, importMap: ImportMap): boolean =>
    entry.entry === toRelative(found.entry) &&
    same(entry.importMaps, hashesOf(importMap.files, toRelative)) &&
    Object.entries(entry.inputs).every(([path, hash]) => hashOfFile(resolve(projectDir, path)) === hash) &&
    entry.packages.every(({ name, from, dir, version, isOurs }) => {
      const at = findPackage(name, resolve(projectDir, from)) ?? findPackage(name, projectDir);
      const now = at ?? (isOurs ? findOurs(name) : null);
      return now !== null && (at === null) === isOurs && toRelative(now.dir) === dir && now.version === version;
    }) &&
    isWhole(bundlePath(entry), entry);

  return {
    refresh() {
      const now = key();
      if (now !== currentKey) known.clear();
      currentKey = now;
    },
    find(found, importMap) {
      const entry = known.get(found.name);
      return entry !== undefined && isCurrent(entry, found, importMap) ? entry : null;
    },
    keep(found, importMap, { output, notes, diagnostics }) {
      const { fileName, code, map } = output!;
      const entry: BuiltEntry = {
        name: found.name,
        entry: toRelative(found.entry),
        bundle: fileName,
        inputs: Object.fromEntries([...notes.inputs].map(([path, hash]) => [toRelative(path), hash])),
        importMaps: hashesOf(importMap.files, toRelative),
        packages: [...notes.packages.values()].map(({ found: { name, dir, version }, from, isOurs, isExternal }) => ({
          name,
          from: toRelative(from),
          dir: toRelative(dir),
          version,
          isOurs,
          isExternal,
        })),
        rewritten: Object.fromEntries(notes.rewritten),
        warnings: diagnostics.filter(({ severity }) => severity === "warning"),
      };
      // The map first: whoever sees the bundle finds it.
      writeWhole(`${bundlePath(entry)}.map`, map);
      writeWhole(bundlePath(entry), code);
      known.set(entry.name, entry);
      return entry;
    },
    bundlePath,
    packageFolders: ({ packages }) => [
      ...new Set(
        packages
          .filter(({ isExternal }) => isExternal)
          .map(({ dir, name }) => resolve(projectDir, dir).slice(0, -`${sep}${name}`.length)),
      ),
    ],
    save(entries) {
      const manifest: Manifest = { key: currentKey, entries };
      writeWhole(file, `${JSON.stringify(manifest)}\n`);
    },
    sweep(entries) {
      const used = new Set(entries.map(({ bundle }) => bundle));
      const old = readdirSync(cacheDir)
        .filter((name) => name.endsWith(".mjs") && !used.has(name))
        .map((name) => ({ path: join(cacheDir, name), atMs: statSync(join(cacheDir, name)).mtimeMs }))
        .sort((a, b) => b.atMs - a.atMs);
      for (const { path } of old.slice(keptBundles)) {
        rmSync(path, { force: true });
        rmSync(`${path}.map`, { force: true });
      }
    },
  };
}

function read(file: string): Manifest | null {
  try {
    const manifest = JSON.parse(readFileSync(file, "utf8")) as Partial<Manifest>;
    return typeof manifest.key === "string" && Array.isArray(manifest.entries) ? (manifest as Manifest) : null;
  } catch {
    // Not there, or torn by a crash: it is only a memory, and everything is built again.
    return null;
  }
}

/** The name of a bundle has its hash: one that is torn or was changed is built again. */
function isWhole(path: string, { bundle, name }: BuiltEntry): boolean {
  try {
    const code = readFileSync(path, "utf8").replace(/\/\/# sourceMappingURL=[^\n]*\n$/, "");
    return bundle === `${name}-${hashOf(`${code}\0${readFileSync(`${path}.map`, "utf8")}`).slice(0, 16)}.mjs`;
  } catch {
    return false;
  }
}

function writeWhole(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, text, { mode: 0o600 });
  renameSync(temporary, path);
}

const hashesOf = (
  files: ReadonlyMap<string, string>,
  shown: (path: string) => string,
): Readonly<Record<string, string>> => Object.fromEntries([...files].map(([file, hash]) => [shown(file), hash]));

const same = (a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean =>
  Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([name, value]) => b[name] === value);

function hashOfFile(path: string): string | null {
  try {
    return createHash("sha256").update(readFileSync(path)).digest("hex");
  } catch {
    return null;
  }
}

/** Read from its manifest: loading it is what is to be spared. */
function esbuildVersion(): string {
  const path = createRequire(import.meta.url).resolve("esbuild/package.json");
  const { version } = JSON.parse(readFileSync(path, "utf8")) as { version: string };
  return version;
}
