import { readFileSync, realpathSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, isAbsolute, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { OnResolveArgs, OnResolveResult, PartialMessage, PluginBuild } from "esbuild";
import type { ImportMap } from "./import-map.ts";
import type { MessageDetail } from "./messages.ts";
import type { BuildNotes } from "./notes.ts";
import { findOurs, findPackage, type InstalledPackage, isBundledAlways } from "./packages.ts";
import { satisfies } from "./semver.ts";
import { readSpecifier, type Wanted } from "./specifier.ts";
import { stdModule } from "./std.ts";

export interface ResolveNeeds {
  readonly projectDir: string;
  readonly functionsDir: string;
  /** Where the bundle will lie: bare names are looked for from there. */
  readonly cacheDir: string;
  readonly importMap: ImportMap;
  readonly notes: () => BuildNotes;
}

/** Modules that are nothing at run time. */
export const nothing = "mainstay-nothing";
/** Marks a question of ours to the bundler, so that we do not answer it ourselves. */
const asked = Symbol("asked by us");

export const isInPackages = (path: string): boolean => path.split(sep).includes("node_modules");

/** Says what each import of the project's own files leads to. What packages import among themselves is the bundler's matter. */
export function resolver(
  build: PluginBuild,
  needs: ResolveNeeds,
): (args: OnResolveArgs) => Promise<OnResolveResult | undefined> {
  const ask = (path: string, args: OnResolveArgs, resolveDir = args.resolveDir) =>
    build.resolve(path, { importer: args.importer, resolveDir, kind: args.kind, with: args.with, pluginData: asked });

  const file = async (path: string, args: OnResolveArgs): Promise<OnResolveResult> => {
    const target = path.startsWith("file:") ? fileURLToPath(path) : path;
    const found = await ask(target, args);
    if (found.errors.length > 0) return { errors: found.errors, warnings: found.warnings };
    const logical = isAbsolute(target) ? target : join(args.resolveDir, target);
    if (leadsOut(logical, found.path, needs))
      return failure(
        `"${args.path}" is a link out of the project's folder.`,
        "Copy the file here, or install it as a package.",
      );
    if (found.namespace !== "file") return failure(`"${args.path}" is no file.`, "Import files and packages.");
    return { path: found.path, sideEffects: found.sideEffects };
  };

  const bundled = async (found: InstalledPackage, subpath: string, args: OnResolveArgs): Promise<OnResolveResult> => {
    const answer = await ask(
      `${found.name}${subpath}`,
      args,
      found.dir.slice(0, -`${sep}node_modules${sep}${found.name}`.length) || sep,
    );
    return answer.errors.length > 0
      ? { errors: answer.errors }
      : { path: answer.path, sideEffects: answer.sideEffects };
  };

  const external = async (found: InstalledPackage, subpath: string, args: OnResolveArgs): Promise<OnResolveResult> => {
    const parent = found.dir.slice(0, -`${sep}node_modules${sep}${found.name}`.length) || sep;
    const answer = await ask(`${found.name}${subpath}`, args, parent);
    if (answer.errors.length > 0) return { errors: answer.errors };
    // Node takes JSON only where the import says so, and a bundle may hold it as well.
    if (answer.path.endsWith(".json")) return { path: answer.path };
    const isNear = findPackage(found.name, needs.cacheDir)?.dir === found.dir;
    if (!isNear) return { path: slashes(relative(needs.cacheDir, answer.path)), external: true };
    return {
      path: subpath === "" || hasExports(found) ? `${found.name}${subpath}` : innerPath(found, answer.path),
      external: true,
    };
  };

  const fromPackage = async (
    wanted: Extract<Wanted, { kind: "package" }>,
    args: OnResolveArgs,
  ): Promise<OnResolveResult> => {
    const from = dirname(args.importer);
    const names = [wanted.name, ...wanted.aliases];
    const theirs =
      first(names, (name) => findPackage(name, from)) ?? first(names, (name) => findPackage(name, needs.projectDir));
    const found = theirs ?? first(names, findOurs);
    if (found === null) {
      const paths = wanted.range === null ? await ask(args.path, args) : null;
      if (paths !== null && paths.errors.length === 0 && paths.namespace === "file" && !isInPackages(paths.path))
        return { path: paths.path };
      return missing(wanted, args);
    }
    const isOurs = theirs === null;
    const isExternal = !isOurs && found.isInstalled && !isBundledAlways(found.name);
    const notes = needs.notes();
    notes.packages.set(`${from}\0${found.name}`, { found, from, isOurs, isExternal });
    if (args.path !== `${found.name}${wanted.subpath}` || isOurs)
      notes.rewritten.set(args.path, `${found.name}${wanted.subpath}`);
    const result = await (isExternal ? external : bundled)(found, wanted.subpath, args);
    if (wanted.range === null || satisfies(found.version, wanted.range)) return result;
    const where = isOurs ? "this server has" : "installed is";
    return {
      ...result,
      warnings: [
        {
          text: `"${args.path}" asks for ${wanted.range}, and ${where} ${found.version}.`,
          notes: [{ text: `Install what it asks for: npm install ${found.name}@${wanted.range}` }],
        },
      ],
    };
  };

  const std = async (module: string, args: OnResolveArgs): Promise<OnResolveResult> => {
    const path = stdModule(module);
    if (path !== null) {
      needs.notes().rewritten.set(args.path, path);
      return { path };
    }
    const [base = "", ...rest] = module.split("/");
    const served = findPackage(`@jsr/std__${base.replaceAll("_", "-")}`, dirname(args.importer));
    if (served !== null)
      return fromPackage(
        {
          kind: "package",
          name: served.name,
          range: null,
          subpath: rest.length > 0 ? `/${rest.join("/")}` : "",
          aliases: [],
        },
        args,
      );
    return failure(
      `Deno's standard module "${module}" is not part of this runtime.`,
      `Use what Node has (node:…), or install it: npx jsr add @std/${base.replaceAll("_", "-")}`,
    );
  };

  return async (args) => {
    if (args.kind === "entry-point" || args.pluginData === asked || args.namespace !== "file") return undefined;
    if (isInPackages(args.importer)) return undefined;
    const mapped = needs.importMap.map(args.path, args.importer);
    const specifier = mapped ?? args.path;
    const isBare = !/^(?:npm|jsr|https?):/.test(specifier);
    if (isBare && isBuiltin(specifier))
      return { path: specifier.startsWith("node:") ? specifier : `node:${specifier}`, external: true };
    // Names that begin with # are the package's own (`imports` of package.json), which the bundler reads.
    if (specifier.startsWith("#")) return undefined;
    const wanted = readSpecifier(specifier);
    switch (wanted.kind) {
      case "types":
        if (!specifier.startsWith(".")) needs.notes().rewritten.set(args.path, "");
        return { path: specifier, namespace: nothing };
      case "node":
        return failure(`Node has no module "node:${wanted.name}".`, "Check its name.");
      case "file":
        return file(wanted.path, args);
      case "std":
        return std(wanted.module, args);
      case "package":
        return fromPackage(wanted, args);
      case "remote":
        return failure(
          `Code is not loaded from the network when a function starts: "${specifier}".`,
          "Import the package from npm (npm:name@version), or copy the file into the functions folder.",
        );
    }
  };
}

/** An import that runs only if it is reached may ask for what is not there: it fails then. */
function missing({ name, range, aliases }: Extract<Wanted, { kind: "package" }>, args: OnResolveArgs): OnResolveResult {
  const served = aliases.find((alias) => alias.startsWith("@jsr/"));
  const isJsr = served !== undefined && aliases[0] === served;
  const detail: MessageDetail = { missing: { name, range, isJsr } };
  const message: PartialMessage = { text: `The package "${name}" is not installed.`, detail };
  if (args.kind === "dynamic-import") return { path: name, external: true, warnings: [message] };
  return { errors: [message] };
}

const failure = (text: string, hint: string): OnResolveResult => ({ errors: [{ text, notes: [{ text: hint }] }] });

function first<T>(names: readonly string[], find: (name: string) => T | null): T | null {
  for (const name of names) {
    const found = find(name);
    if (found !== null) return found;
  }
  return null;
}

/** A path within the functions folder that ends, over links, outside of the project. */
function leadsOut(logical: string, real: string, { functionsDir, projectDir }: ResolveNeeds): boolean {
  if (!logical.startsWith(functionsDir + sep)) return false;
  const root = realpathSync(projectDir);
  return !real.startsWith(root + sep) && realpathSync(real) !== logical;
}

function hasExports({ dir }: InstalledPackage): boolean {
  try {
    return (JSON.parse(readFileSync(join(dir, "package.json"), "utf8")) as { exports?: unknown }).exports !== undefined;
  } catch {
    return false;
  }
}

/** `lodash/fp` of a package without `exports` is for Node `lodash/fp.js`. */
function innerPath(found: InstalledPackage, path: string): string {
  const inner = relative(realpathSync(found.dir), path);
  return inner.startsWith("..") ? slashes(path) : `${found.name}/${slashes(inner)}`;
}

const slashes = (path: string): string => path.split(sep).join("/");
